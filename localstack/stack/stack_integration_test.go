//go:build integration

package stack_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"postrider/localstack/deploy"
	"postrider/localstack/stack"
	"postrider/localstack/stack/stacktest"
)

var root, _ = filepath.Abs("../..")

// built compiles the echo function for each function of the test's template.
func built(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, id := range []string{"EchoFunction", "PromptFunction"} {
		cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", filepath.Join(dir, id, "bootstrap"), "./testdata/echo")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return dir
}

func options(t *testing.T) stack.Options {
	t.Helper()
	return stack.Options{
		Root: root, Dir: filepath.Join(root, ".local", "test", fmt.Sprint("stack-", os.Getpid())),
		Template: filepath.Join("testdata", "template.yaml"), Built: built(t), Record: true, Log: t.Output(),
	}
}

func TestStack(t *testing.T) {
	opts := options(t)
	t.Cleanup(func() { _ = os.RemoveAll(opts.Dir) })
	s, err := stack.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		begun := time.Now()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		t.Logf("closed in %.1f s", time.Since(begun).Seconds())
		if took := time.Since(begun); took > 15*time.Second {
			t.Errorf("it took %v to close", took)
		}
		if left := stacktest.Processes(t, opts.Dir); len(left) != 0 {
			t.Errorf("still running: %v", left)
		}
	})
	deployed := time.Now()

	t.Run("LocalStack takes the index of services that was installed", func(t *testing.T) {
		made, err := filepath.Glob(filepath.Join(opts.Dir, "localstack", "var", "lib", "localstack", "cache", "service-catalog-*"))
		if err != nil || len(made) != 0 {
			t.Errorf("it has made %v, %v", made, err)
		}
	})
	t.Run("a request passes with its body and headers", func(t *testing.T) {
		body := string([]byte{0, 200, 10, 13})
		got := get(t, s, "/a/b?x=1", body)
		want := answer{Greeting: "hello", PID: got.PID}
		want.Event.Path, want.Event.Body, want.Event.Base64 = "/a/b", base64.StdEncoding.EncodeToString([]byte(body)), true
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a message reaches an idle function at once", func(t *testing.T) { latency(t, s) })
	t.Run("a batch holds more than ten messages", func(t *testing.T) { largeBatch(t, s) })
	t.Run("a function that exits or times out starts again", func(t *testing.T) {
		first := get(t, s, "/", "").PID
		for _, path := range []string{"/exit", "/sleep"} {
			if status := statusOf(s.BaseURL + path); status/100 != 5 {
				t.Errorf("%s: %d", path, status)
			}
			second := get(t, s, "/", "").PID
			if second == first {
				t.Errorf("after %s, it is process %v still", path, second)
			}
			first = second
		}
	})
	t.Run("functions' processes are known and can be killed", func(t *testing.T) {
		pid := get(t, s, "/", "").PID
		running, err := s.Processes(t.Context())
		if err != nil || !slices.Contains(running, stack.Process{PID: pid, Function: "EchoFunction"}) {
			t.Fatalf("Processes = %v, %v, want %d among them", running, err, pid)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "another process", func() bool { return statusOf(s.BaseURL+"/") == http.StatusOK })
	})
	t.Run("calls are recorded by logical ids", func(t *testing.T) {
		get(t, s, "/put", "")
		want := stack.Call{Function: "EchoFunction", Action: "dynamodb:PutItem", Resource: "Table", Count: 1}
		if calls := s.Calls(); !slices.Contains(calls, want) {
			t.Errorf("Calls = %v, want %v among them", calls, want)
		}
	})
	t.Run("an unchanged template is no error, a changed parameter is deployed", func(t *testing.T) {
		if err := s.Deploy(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Deploy(t.Context(), map[string]string{"Greeting": "bye"}); err != nil {
			t.Fatal(err)
		}
		if got := get(t, s, "/", "").Greeting; got != "bye" {
			t.Errorf("the greeting is %v", got)
		}
	})
	t.Run("what was not really created fails the deployment", func(t *testing.T) {
		err := s.Deploy(t.Context(), map[string]string{"Broken": "unreal"})
		if err == nil || !strings.Contains(err.Error(), "UnrealApi") {
			t.Errorf("Deploy = %v, want an error that names UnrealApi", err)
		}
	})
	t.Run("a failed creation can be tried again", func(t *testing.T) {
		template := []byte("Resources: {Table: {Type: 'AWS::DynamoDB::Table', Properties: {BillingMode: PAY_PER_REQUEST, " +
			"AttributeDefinitions: [{AttributeName: NAME, AttributeType: S}], KeySchema: [{AttributeName: id, KeyType: HASH}]}}}")
		if _, err := deploy.Stack(t.Context(), s.Config(), "again", template, nil); err == nil || !strings.Contains(err.Error(), "Table (AWS::DynamoDB::Table)") {
			t.Fatalf("Stack = %v, want an error that names Table", err)
		}
		if _, err := deploy.Stack(t.Context(), s.Config(), "again", bytes.ReplaceAll(template, []byte("NAME"), []byte("id")), nil); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("an update that fails, and a corrected one, leave the data", func(t *testing.T) { failedUpdates(t, s) })
	t.Run("the rule of every minute fires", func(t *testing.T) {
		log := filepath.Join(opts.Dir, "logs", s.PhysicalID("EchoFunction")+".log")
		waitFor(t, "a tick", func() bool {
			data, _ := os.ReadFile(log)
			return bytes.Contains(data, []byte("tick\n"))
		})
		t.Logf("first tick after %.0f s", time.Since(deployed).Seconds())
	})
}

func TestAStackThatCannotBeCreatedSaysWhyAndLeavesNothing(t *testing.T) {
	opts := options(t)
	opts.Dir += "-again"
	t.Cleanup(func() { _ = os.RemoveAll(opts.Dir) })
	opts.Parameters = map[string]string{"Broken": "yes"}
	if s, err := stack.Start(t.Context(), opts); err == nil {
		_ = s.Close()
		t.Fatal("it started")
	} else if !strings.Contains(err.Error(), "BrokenTable") {
		t.Fatalf("Start = %v, want an error that names BrokenTable", err)
	}
	if left := stacktest.Processes(t, opts.Dir); len(left) != 0 {
		t.Errorf("still running: %v", left)
	}
}

func TestAStackWhoseLocalStackIsKilledEndsWithJavaAndFunctions(t *testing.T) {
	opts := options(t)
	opts.Dir += "-crash"
	t.Cleanup(func() { _ = os.RemoveAll(opts.Dir) })
	s, err := stack.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	get(t, s, "/", "")
	for pid, args := range stacktest.Processes(t, opts.Dir) {
		if strings.HasPrefix(args, filepath.Join(opts.Root, ".local", "tools", "localstack", "bin", "python")) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	<-s.Ended()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left := stacktest.Processes(t, opts.Dir); len(left) != 0 {
		t.Errorf("still running: %v", left)
	}
}

// crashing, in the environment, names the folder of a stack that the test binary starts
// in place of the tests. Then it waits until it is killed.
const crashing = "POSTRIDER_TEST_CRASHING"

func TestAStackEndsWhenTheTestBinaryIsKilled(t *testing.T) {
	opts := options(t)
	if opts.Dir = os.Getenv(crashing); opts.Dir != "" {
		s, err := stack.Start(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		get(t, s, "/", "")
		fmt.Println("ready")
		select {}
	}
	dir := filepath.Join(root, ".local", "test", fmt.Sprint("stack-killed-", os.Getpid()))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	binary := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	binary.Env = append(os.Environ(), crashing+"="+dir)
	out, err := binary.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := binary.Start(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	for lines := bufio.NewScanner(io.TeeReader(out, &said)); lines.Scan() && lines.Text() != "ready"; {
	}
	running := fmt.Sprint(stacktest.Processes(t, dir))
	if err := binary.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = binary.Wait() // it was killed
	for _, want := range []string{"localstack.runtime.main", "DynamoDBLocal.jar", "bootstrap"} {
		if !strings.Contains(running, want) {
			t.Errorf("no %s among the processes %s; the binary wrote:\n%s", want, running, &said)
		}
	}
	waitFor(t, "the end of all processes", func() bool { return len(stacktest.Processes(t, dir)) == 0 })
}

// failedUpdates checks that a table keeps its data through failed updates and what
// follows.
func failedUpdates(t *testing.T, s *stack.Stack) {
	t.Helper()
	table := func(name, key string) string {
		return name + ": {Type: 'AWS::DynamoDB::Table', Properties: {BillingMode: PAY_PER_REQUEST, " +
			"AttributeDefinitions: [{AttributeName: " + key + ", AttributeType: S}], KeySchema: [{AttributeName: id, KeyType: HASH}]}}\n  "
	}
	queue := func(seconds int) string {
		return fmt.Sprintf("Queue: {Type: 'AWS::SQS::Queue', Properties: {VisibilityTimeout: %d}}\n  ", seconds)
	}
	const head = "Transform: AWS::Serverless-2016-10-31\nResources:\n  "
	db := dynamodb.NewFromConfig(s.Config())
	for name, c := range map[string]struct {
		wrong  string
		mended bool // LocalStack accepts the corrected update
	}{
		"half": {wrong: head + table("Broken", "other") + table("Kept", "id") + queue(20)},
		"end":  {wrong: head + table("Kept", "id") + queue(20) + table("ZBroken", "other")},
		// This update does not even begin.
		"text": {wrong: head + table("Kept", "id") + queue(20) + "Broken: {Type: 'AWS::Serverless::Function', Properties: {}}", mended: true},
	} {
		first, err := deploy.Stack(t.Context(), s.Config(), name, []byte(head+table("Kept", "id")+queue(10)), nil)
		if err != nil {
			t.Fatal(err)
		}
		kept := aws.String(first.Resources["Kept"].PhysicalID)
		item := map[string]dynamotypes.AttributeValue{"id": &dynamotypes.AttributeValueMemberS{Value: "x"}}
		if _, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: kept, Item: item}); err != nil {
			t.Fatal(err)
		}
		if _, err := deploy.Stack(t.Context(), s.Config(), name, []byte(c.wrong), nil); err == nil || !strings.Contains(err.Error(), "Broken") || strings.Contains(err.Error(), "make down") == c.mended {
			t.Errorf("%s: Stack = %v, want an error that names Broken, and says what is left to do if nothing else is", name, err)
		}
		for range 2 {
			next, err := deploy.Stack(t.Context(), s.Config(), name, []byte(head+table("Kept", "id")+queue(30)), nil)
			if c.mended && (err != nil || next.Resources["Kept"] != first.Resources["Kept"]) {
				t.Errorf("%s, corrected: %+v, %v", name, next, err)
			}
			if !c.mended && (err == nil || !strings.Contains(err.Error(), "make down")) {
				t.Errorf("%s, corrected: %v, want an error that says what is left to do", name, err)
			}
		}
		got, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: kept, Key: item})
		if err != nil || len(got.Item) == 0 {
			t.Errorf("%s: the data is gone: %v, %v", name, got, err)
		}
	}
}

// latency measures the time from SendMessage to the handler.
func latency(t *testing.T, s *stack.Stack) {
	t.Helper()
	client := sqs.NewFromConfig(s.Config())
	queue := s.PhysicalID("PromptQueue")
	log := filepath.Join(s.LogDir(), s.PhysicalID("PromptFunction")+".log")
	var took []time.Duration
	for i := range 13 {
		if i > 0 { // it is idle by then, at varying points of a poll
			<-time.After(time.Duration(300+i*370%2500) * time.Millisecond)
		}
		body := fmt.Sprintf("message %d", i)
		sent := time.Now()
		if _, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &queue, MessageBody: aws.String(body)}); err != nil {
			t.Fatal(err)
		}
		waitFor(t, body, func() bool {
			for _, l := range events(t, log) {
				if slices.Contains(l.Bodies, body) {
					took = append(took, time.Unix(0, l.At).Sub(sent))
					return true
				}
			}
			return false
		})
	}
	cold, warm := took[0], took[1:]
	slices.Sort(warm)
	t.Logf("cold %v; warm: median %v, slowest %v", cold.Round(time.Millisecond), warm[len(warm)/2].Round(time.Millisecond), warm[len(warm)-1].Round(time.Millisecond))
}

func largeBatch(t *testing.T, s *stack.Stack) {
	t.Helper()
	client := sqs.NewFromConfig(s.Config())
	queue := s.PhysicalID("Queue")
	var entries []types.SendMessageBatchRequestEntry
	for i := range 10 {
		entries = append(entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String("x")})
	}
	for range 20 {
		if _, err := client.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &queue, Entries: entries}); err != nil {
			t.Fatal(err)
		}
	}
	log := filepath.Join(s.LogDir(), s.PhysicalID("EchoFunction")+".log")
	waitFor(t, "200 messages", func() bool {
		total, largest := 0, 0
		for _, l := range events(t, log) {
			total += len(l.Bodies)
			largest = max(largest, len(l.Bodies))
		}
		if total == 200 {
			t.Logf("the largest batch has %d", largest)
			if largest <= 10 {
				t.Errorf("the largest batch has %d", largest)
			}
		}
		return total == 200
	})
}

type line struct {
	At     int64    `json:"at"`
	Bodies []string `json:"bodies"`
}

func events(t *testing.T, path string) []line {
	t.Helper()
	data, _ := os.ReadFile(path)
	var all []line
	for scanner := bufio.NewScanner(bytes.NewReader(data)); scanner.Scan(); {
		var l line
		if json.Unmarshal(scanner.Bytes(), &l) == nil && l.At != 0 {
			all = append(all, l)
		}
	}
	return all
}

// answer is the answer of the echo function.
type answer struct {
	PID      int    `json:"pid"`
	Greeting string `json:"greeting"`
	Event    struct {
		Path   string `json:"path"`
		Body   string `json:"body"`
		Base64 bool   `json:"isBase64Encoded"`
	} `json:"event"`
}

func get(t *testing.T, s *stack.Stack, path, body string) answer {
	t.Helper()
	response, err := http.Post(s.BaseURL+path, "application/octet-stream", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	data, _ := io.ReadAll(response.Body)
	var out answer
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatalf("%s: %d %s", path, response.StatusCode, data)
	}
	return out
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	end := time.After(130 * time.Second) // a rule for every minute may take two minutes
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-end:
			t.Fatal("waited in vain for ", what)
		case <-tick.C:
		}
	}
}

// statusOf returns the status of a GET, or 0 without an answer.
func statusOf(url string) int {
	response, err := http.Get(url)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}
