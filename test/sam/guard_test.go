//go:build integration

// Package sam_test holds `make deploy` to what it promises, on a LocalStack. That
// what sam builds and deploys works is what the integration tests show, which run
// on it with DEPLOY=sam.
package sam_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"postrider/localstack/stack"
	"postrider/localstack/stack/stacktest"
	"postrider/test/samcli"
)

const (
	guarded   = "guarded" // the stack's name
	guardHead = `Transform: AWS::Serverless-2016-10-31
Parameters:
  ProviderToken: {Type: String, NoEcho: true}
  KeysParameter: {Type: String}
Resources:
  KeptQueue: {Type: "AWS::SQS::Queue", Properties: {QueueName: kept}}
`
	guardMore = `  LostQueue: {Type: "AWS::SQS::Queue", Properties: {QueueName: lost}}
`
)

// checkout is a folder with all that the command reads of a checkout, and a
// template that is quickly deployed.
type checkout struct {
	dir, program string
	env          []string
}

func newCheckout(t *testing.T, root string, s *stack.Stack) checkout {
	t.Helper()
	c := checkout{dir: t.TempDir()}
	c.program = filepath.Join(c.dir, "deploy")
	build := exec.Command("go", "build", "-o", c.program, "./infra/deploy")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := samcli.Config(root, c.dir, `"postrider-staging"`, `"`+guarded+`"`); err != nil {
		t.Fatal(err)
	}
	c.env = append(samcli.Environment(s.EndpointURL), "PATH="+filepath.Join(root, ".local", "tools", "gate", "bin")+":"+os.Getenv("PATH"))
	return c
}

func (c checkout) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(c.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// deploy runs the command without a terminal.
func (c checkout) deploy(t *testing.T, variables ...string) (said string, ok bool) {
	t.Helper()
	command := exec.CommandContext(t.Context(), c.program, "staging")
	command.Dir, command.Env = c.dir, slices.Concat(c.env, variables)
	out, err := command.CombinedOutput()
	return string(out), err == nil
}

func TestADeploymentThatLosesAQueueIsRefusedUntilItIsConfirmed(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := stacktest.Empty(t, root, "sam")
	if err := samcli.MakeBucket(t.Context(), s.Config()); err != nil {
		t.Fatal(err)
	}
	c := newCheckout(t, root, s)
	client := sqs.NewFromConfig(s.Config())
	has := func(queue string) bool {
		_, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(queue)})
		return err == nil
	}
	c.write(t, "template.yaml", guardHead+guardMore)
	c.write(t, "infra/parameters/staging.yaml", "ProviderUrl: https://sending-api.example.com/v1\n")
	if said, ok := c.deploy(t, "PROVIDER_TOKEN=x"); ok || !strings.Contains(said, "ProviderUrl in infra/parameters/staging.yaml is the example's") {
		t.Fatalf("with the example's sending API: %s", said)
	}
	c.write(t, "infra/parameters/staging.yaml", "KeysParameter: /postrider/nobody\n")
	if said, ok := c.deploy(t); ok || !strings.Contains(said, "PROVIDER_TOKEN") {
		t.Fatalf("the first deployment without the sending API's token: %s", said)
	}
	const token = "a-token-that-nobody-may-see"
	said, ok := c.deploy(t, "PROVIDER_TOKEN="+token)
	if !ok || !has("lost") || !strings.Contains(said, "/postrider/nobody, with the API's keys, is not there") {
		t.Fatalf("the first deployment: %s", said)
	}
	if strings.Contains(said, token) {
		t.Errorf("it shows the token: %s", said)
	}
	c.write(t, "template.yaml", guardHead)
	if said, ok := c.deploy(t); ok || !has("lost") || !strings.Contains(said, "CONFIRM=1") || !strings.Contains(said, "remove LostQueue (AWS::SQS::Queue)") {
		t.Fatalf("without a word: %s", said)
	}
	if said, ok := c.deploy(t, "CONFIRM=1"); !ok || has("lost") || !has("kept") {
		t.Fatalf("with CONFIRM=1: %s", said)
	}
}
