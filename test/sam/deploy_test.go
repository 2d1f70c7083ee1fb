//go:build integration

// Package sam_test deploys Postrider as its users do on AWS, with sam, to a
// LocalStack of its own, and sends a mailing through what it deployed.
package sam_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"

	"postrider/internal/keys"
	"postrider/internal/mailing"
	"postrider/localstack/stack"
	"postrider/localstack/standin"
	"postrider/localstack/tools"
	"postrider/test/samcli"
)

const (
	stackName     = "postrider-sam"
	key           = "sam-admin"
	keysParameter = "/postrider/sam/keys"
	recipients    = 60
)

// empty starts a LocalStack to which nothing is deployed.
func empty(t *testing.T, root string) *stack.Stack {
	t.Helper()
	installed, err := tools.Install(t.Context(), root, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, ".local", "test", fmt.Sprint("sam-", os.Getpid()))
	s, err := stack.Start(t.Context(), stack.Options{
		Root: root, Dir: dir, Tools: installed, StandIn: standin.New(), Undeployed: true, Log: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if !t.Failed() {
			_ = os.RemoveAll(dir)
		}
	})
	return s
}

// sam runs a command of sam against the stack's LocalStack.
func sam(t *testing.T, root string, s *stack.Stack, arguments ...string) {
	t.Helper()
	if err := samcli.Run(t.Context(), root, s.EndpointURL, arguments...); err != nil {
		t.Fatal(err)
	}
}

// config writes samconfig.toml, but for the bucket and the name of a stack, into
// dir.
func config(t *testing.T, root, dir string) (path string) {
	t.Helper()
	path, err := samcli.Config(root, dir, `"postrider-staging"`, `"`+guarded+`"`)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// service is what sam deployed, through API Gateway's own address.
type service struct {
	base    string
	standIn string
}

func (s service) call(t *testing.T, method, path string, body, into any) {
	t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, s.base+path, bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(response.Body)
	_ = response.Body.Close() // it is read
	if err != nil || response.StatusCode >= 300 {
		t.Fatalf("%s %s: %d, %v\n%s", method, path, response.StatusCode, err, answer)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, answer)
		}
	}
}

// handedOver is how often each phone is in the stand-in's ledger.
func (s service) handedOver(t *testing.T) map[string]int {
	t.Helper()
	response, err := http.Get(s.standIn + "/ledger")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	times := map[string]int{}
	for decoder := json.NewDecoder(response.Body); decoder.More(); {
		var line struct {
			Phone any `json:"phone"`
		}
		decoder.UseNumber()
		if err := decoder.Decode(&line); err != nil {
			t.Fatal(err)
		}
		times[fmt.Sprint(line.Phone)]++
	}
	return times
}

// send sends a mailing to recipients clients that have the tag, and waits until
// it is completed.
func (s service) send(t *testing.T, tag string) (phones map[string]int) {
	t.Helper()
	phones = map[string]int{}
	for i := range recipients {
		phone := fmt.Sprintf("7900%07d", i)
		phones[phone] = 1
		s.call(t, http.MethodPost, "/api/clients", map[string]string{"phone": phone, "tag": tag, "timezone": "Europe/Moscow"}, nil)
	}
	var made struct {
		ID int64 `json:"id"`
	}
	s.call(t, http.MethodPost, "/api/mailings", map[string]any{
		"text": "hello", "start_at": time.Now().Add(-time.Second), "end_at": time.Now().Add(time.Hour), "filter": map[string]any{"tags": []string{tag}},
	}, &made)
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		var info struct {
			Mailing struct {
				Status string `json:"status"`
			} `json:"mailing"`
			Counts map[string]int `json:"counts"`
		}
		s.call(t, http.MethodGet, "/api/mailings/"+strconv.FormatInt(made.ID, 10)+"/info?limit=0", nil, &info)
		if info.Mailing.Status == "completed" {
			if info.Counts["sent"] != recipients || info.Counts["total"] != recipients {
				t.Errorf("the counts are %v", info.Counts)
			}
			return phones
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the mailing is %s still: %v", info.Mailing.Status, info.Counts)
		case <-tick.C:
		}
	}
}

// TestSAM is one test with parts, because they share a LocalStack.
func TestSAM(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	s := empty(t, root)
	if err := samcli.MakeBucket(t.Context(), s.Config()); err != nil {
		t.Fatal(err)
	}
	t.Run("what sam builds and deploys sends a mailing", func(t *testing.T) {
		t.Parallel()
		testMailing(t, root, s)
	})
	t.Run("a deployment that loses a queue is refused until it is confirmed", func(t *testing.T) {
		t.Parallel()
		testGuard(t, root, s)
	})
}

func testMailing(t *testing.T, root string, s *stack.Stack) {
	t.Helper()
	lines := keys.Line(mailing.Caller{Name: key, Role: mailing.Admin}, key)
	if _, err := ssm.NewFromConfig(s.Config()).PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: aws.String(keysParameter), Value: &lines, Type: types.ParameterTypeString,
	}); err != nil {
		t.Fatal(err)
	}
	built := filepath.Join(t.TempDir(), "build")
	begun := time.Now()
	sam(t, root, s, "build", "--config-env", "local", "--build-dir", built, "--region", "us-east-1")
	building := time.Since(begun)
	deploy := []string{
		"deploy", "--config-file", config(t, root, t.TempDir()), "--config-env", "local",
		"--template-file", filepath.Join(built, "template.yaml"), "--stack-name", stackName, "--no-progressbar",
		"--parameter-overrides", "file://infra/parameters/local.yaml",
		"ProviderUrl=" + strings.Replace(s.StandInURL, "localhost", "127.0.0.1", 1) + "/v1", "KeysParameter=" + keysParameter,
	}
	begun = time.Now()
	sam(t, root, s, deploy...)
	t.Logf("figure: sam build took %.1f s, sam deploy to an empty LocalStack %.1f s", building.Seconds(), time.Since(begun).Seconds())

	out, err := cloudformation.NewFromConfig(s.Config()).DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String(stackName)})
	if err != nil {
		t.Fatal(err)
	}
	var api string
	for _, o := range out.Stacks[0].Outputs {
		if aws.ToString(o.OutputKey) == "ApiId" {
			api = aws.ToString(o.OutputValue)
		}
	}
	// The address in the outputs is AWS's; LocalStack has its own for the same API.
	deployed := service{base: fmt.Sprintf("%s/_aws/execute-api/%s/local", s.EndpointURL, api), standIn: s.StandInURL}
	want := deployed.send(t, "sam")
	if diff := cmp.Diff(want, deployed.handedOver(t)); diff != "" {
		t.Errorf("in the ledger (-want +got):\n%s", diff)
	}
}
