//go:build integration

// Package sam_test checks that `make deploy` does what it promises, on a LocalStack. The
// integration tests with DEPLOY=sam show that the stack works that sam builds and
// deploys.
package sam_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"postrider/localstack/stack"
	"postrider/localstack/stack/stacktest"
	"postrider/test/samcli"
)

const (
	guarded   = "guarded" // the stack's name
	token     = "a-token-that-nobody-may-see"
	guardHead = `Transform: AWS::Serverless-2016-10-31
Parameters:
  ProviderToken: {Type: String, NoEcho: true}
  KeysParameter: {Type: String}
  Architecture: {Type: String, Default: x86_64}
Resources:
  KeptQueue: {Type: "AWS::SQS::Queue", Properties: {QueueName: kept}}
`
	guardMore = `  LostQueue: {Type: "AWS::SQS::Queue", Properties: {QueueName: lost}}
`
)

// checkout is a folder with everything that the command reads of a checkout, and a
// template that is deployed quickly.
type checkout struct {
	dir, program string
	temporary    string // where the command writes temporary files
	env          []string
}

// newCheckout returns a checkout that is deployed as in a pipeline.
func newCheckout(t *testing.T, root string, s *stack.Stack) checkout {
	t.Helper()
	c := checkout{dir: t.TempDir()}
	c.program = filepath.Join(c.dir, "deploy")
	build := exec.Command("go", "build", "-o", c.program, "./infra/deploy")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	config, err := os.ReadFile(filepath.Join(root, "samconfig.toml"))
	if err != nil {
		t.Fatal(err)
	}
	c.write(t, "samconfig.toml", strings.ReplaceAll(string(config), `"postrider-staging"`, `"`+guarded+`"`))
	if c.temporary = filepath.Join(c.dir, "temporary"); os.Mkdir(c.temporary, 0o700) != nil {
		t.Fatal(c.temporary)
	}
	c.env = append(samcli.Environment(s.EndpointURL), "PATH="+filepath.Join(root, ".local", "tools", "gate", "bin")+":"+os.Getenv("PATH"),
		"TMPDIR="+c.temporary, "BUCKET="+samcli.Bucket, "ROLE_ARN=arn:aws:iam::000000000000:role/cloudformation")
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

// command returns the command, without a terminal.
func (c checkout) command(t *testing.T, variables ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), c.program, "staging")
	command.Dir, command.Env = c.dir, slices.Concat(c.env, variables)
	return command
}

// deploy runs the command, and demands that the token does not remain in a file.
func (c checkout) deploy(t *testing.T, variables ...string) (said string, ok bool) {
	t.Helper()
	out, err := c.command(t, variables...).CombinedOutput()
	c.leavesNothing(t)
	return string(out), err == nil
}

func (c checkout) leavesNothing(t *testing.T) {
	t.Helper()
	if left, err := filepath.Glob(filepath.Join(c.temporary, "postrider-*")); err != nil || left != nil {
		t.Errorf("the file with the token is still there: %v, %v", left, err)
	}
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
	said, ok := c.deploy(t, "PROVIDER_TOKEN="+token)
	if !ok || !has("lost") || !strings.Contains(said, "/postrider/nobody, with the API's keys, is not there") {
		t.Fatalf("the first deployment: %s", said)
	}
	if strings.Contains(said, token) {
		t.Errorf("it shows the token: %s", said)
	}
	if place := "the stack guarded in us-east-1 of the account 000000000000, at " + s.EndpointURL; strings.Count(said, place) != 3 {
		t.Errorf("it does not tell at first, in between and at last that it deploys to %s: %s", place, said)
	}
	formation := cloudformation.NewFromConfig(s.Config())
	c.write(t, "template.yaml", guardHead)
	if said, ok := c.deploy(t); ok || !has("lost") || !strings.Contains(said, "CONFIRM=1") || !strings.Contains(said, "remove LostQueue (AWS::SQS::Queue)") {
		t.Fatalf("without a word: %s", said)
	}
	sets, err := formation.ListChangeSets(t.Context(), &cloudformation.ListChangeSetsInput{StackName: aws.String(guarded)})
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range sets.Summaries {
		if set.ExecutionStatus == types.ExecutionStatusAvailable {
			t.Errorf("what was refused can still be carried out: %s", aws.ToString(set.ChangeSetName))
		}
	}
	if said, ok := c.deploy(t, "CONFIRM=1"); !ok || has("lost") || !has("kept") {
		t.Fatalf("with CONFIRM=1: %s", said)
	}
	c.terminate(t)
}

// terminate deploys with a sam that does not end. It ends the command as a pipeline does
// when its job is cancelled.
func (c checkout) terminate(t *testing.T) {
	t.Helper()
	c.write(t, "bin/sam", "#!/bin/sh\necho building\nexec sleep 300\n")
	if err := os.Chmod(filepath.Join(c.dir, "bin", "sam"), 0o700); err != nil { //nolint:gosec // G302: it is run
		t.Fatal(err)
	}
	command := c.command(t, "PROVIDER_TOKEN="+token, "PATH="+filepath.Join(c.dir, "bin")+":"+os.Getenv("PATH"))
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "building"; {
	}
	if files, err := filepath.Glob(filepath.Join(c.temporary, "postrider-*")); err != nil || len(files) != 1 {
		t.Errorf("while sam runs, these are there: %v, %v", files, err)
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := command.Wait(); err == nil {
		t.Error("it says that it has deployed")
	}
	c.leavesNothing(t)
}
