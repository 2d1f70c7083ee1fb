package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"
)

// credentials are fixed values: the test server does not check them.
type credentials struct{}

func (credentials) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
}

// answering returns a configuration for an AWS endpoint whose answers handler gives.
func answering(t *testing.T, handler http.HandlerFunc) aws.Config {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(server.URL), Credentials: credentials{}, RetryMaxAttempts: 1}
}

// cloudFormation returns a client. answer gives the content of each action's result.
func cloudFormation(t *testing.T, answer func(action string, r *http.Request) string) *cloudformation.Client {
	t.Helper()
	return cloudformation.NewFromConfig(answering(t, func(w http.ResponseWriter, r *http.Request) {
		action := r.FormValue("Action")
		fmt.Fprintf(w, `<%[1]sResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>`, action, answer(action, r)) //nolint:gosec // G705: no browser reads it
	}))
}

func stackThatIs(status types.StackStatus) string {
	return fmt.Sprintf("<Stacks><member><StackName>postrider</StackName><StackStatus>%s</StackStatus></member></Stacks>", status)
}

// checkout changes the working folder to a new one with these files, and with a fake
// sam that writes its arguments and its environment into a file with the name of its
// command.
func checkout(t *testing.T, template, parameters string) (e environment, sam string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range map[string]string{
		"template.yaml": template, "staging.yaml": parameters,
		"sam": "#!/bin/sh\n{ echo \"$@\"; env; } > \"$1\"\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o700); err != nil { //nolint:gosec // G306: sam is run
			t.Fatal(err)
		}
	}
	return environment{name: "staging", stack: "postrider", region: "us-east-1", parameters: "staging.yaml"}, filepath.Join(dir, "sam")
}

const x86 = "Parameters:\n  Architecture:\n    Default: x86_64\n  Stage:\n    Default: local\n"

func TestFunctionsAreBuiltForTheArchitectureThatTheyAreDeployedFor(t *testing.T) {
	of := func(value string) *types.Stack {
		return &types.Stack{Parameters: []types.Parameter{
			{ParameterKey: aws.String("Stage"), ParameterValue: aws.String("staging")},
			{ParameterKey: aws.String("Architecture"), ParameterValue: aws.String(value)},
		}}
	}
	tests := []struct {
		name, file string
		stack      *types.Stack
		want       string
	}{
		{"a new stack, by the template's default", "Stage: staging\n", nil, "x86_64"},
		{"a new stack, by the file", "Architecture: arm64\n", nil, "arm64"},
		{"what the stack has stays", "Stage: staging\n", of("arm64"), "arm64"},
		{"what the file says wins", "Architecture: x86_64\n", of("arm64"), "x86_64"},
		{"a stack without it gets the default", "Stage: staging\n", &types.Stack{}, "x86_64"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, _ := checkout(t, x86, test.file)
			if got, err := e.architecture(test.stack); err != nil || got != test.want {
				t.Errorf("%q, %v, want %q", got, err, test.want)
			}
		})
	}
	t.Run("none anywhere is an error", func(t *testing.T) {
		e, _ := checkout(t, "Parameters: {}\n", "Stage: staging\n")
		if got, err := e.architecture(nil); err == nil {
			t.Errorf("it is %q", got)
		}
	})
}

// ran returns the arguments and the environment of a command of the fake sam from
// checkout.
func ran(t *testing.T, command string) (arguments string, environ []string) {
	t.Helper()
	text, err := os.ReadFile(command)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[0], lines[1:]
}

func TestSAMIsLedByTheParametersAndNotByWhatIsExported(t *testing.T) {
	e, sam := checkout(t, x86, "Architecture: arm64\n")
	t.Setenv("FUNCTION_GOOS", "darwin")
	t.Setenv("FUNCTION_GOARCH", "amd64")
	t.Setenv("MAKEFLAGS", " -- FUNCTION_GOARCH=amd64")
	t.Setenv("ARCHITECTURE", "x86_64")
	t.Setenv("PROVIDER_TOKEN", "secret")
	client := cloudFormation(t, func(action string, _ *http.Request) string {
		if action == "DescribeStacks" {
			return stackThatIs(types.StackStatusUpdateComplete)
		}
		return ""
	})
	d := deployment{environment: e, client: client, sam: sam, ask: asker{out: io.Discard}, options: options("packages", "arn:aws:iam::1:role/r")}
	if set, err := d.prepare(t.Context()); err != nil || set != nil {
		t.Fatalf("%v, %v, want nothing to deploy", set, err)
	}
	_, environ := ran(t, "build")
	var told []string
	for _, variable := range environ {
		if name, _, _ := strings.Cut(variable, "="); slices.Contains([]string{"ARCHITECTURE", "FUNCTION_GOOS", "FUNCTION_GOARCH", "MAKEFLAGS"}, name) {
			told = append(told, variable)
		}
	}
	if diff := cmp.Diff([]string{"ARCHITECTURE=arm64"}, told); diff != "" {
		t.Errorf("what sam build is told to build for (-want +got):\n%s", diff)
	}
	arguments, _ := ran(t, "deploy")
	if want := " --no-resolve-s3 --s3-bucket packages --role-arn arn:aws:iam::1:role/r --parameter-overrides file://staging.yaml file://"; !strings.Contains(arguments, want) {
		t.Errorf("sam %s\nwant%s", arguments, want)
	}
}

func TestByHandSAMMakesItsBucketAndCloudFormationActsAsTheCaller(t *testing.T) {
	if got := options("", ""); got != nil {
		t.Errorf("sam deploy is given %q", got)
	}
}

func TestWhatIsLeftOfAFailedFirstDeploymentHasToBeDeletedFirst(t *testing.T) {
	for _, status := range []types.StackStatus{types.StackStatusRollbackComplete, types.StackStatusRollbackFailed} {
		e, sam := checkout(t, x86, "Stage: staging\n")
		d := deployment{environment: e, sam: sam, ask: asker{out: io.Discard}, client: cloudFormation(t, func(string, *http.Request) string { return stackThatIs(status) })}
		_, err := d.prepare(t.Context())
		if err == nil || !strings.Contains(err.Error(), "aws cloudformation delete-stack --stack-name postrider --region us-east-1") {
			t.Errorf("%s: %v", status, err)
		}
		if _, err := os.Stat("build"); err == nil {
			t.Errorf("%s: it was built all the same", status)
		}
	}
}

func TestOfSeveralNewChangeSetsNoneIsTaken(t *testing.T) {
	sets := func(status types.ExecutionStatus, ids ...string) map[string]types.ChangeSetSummary {
		all := map[string]types.ChangeSetSummary{}
		for _, id := range ids {
			all[id] = types.ChangeSetSummary{ExecutionStatus: status}
		}
		return all
	}
	available, other := types.ExecutionStatusAvailable, types.ExecutionStatusUnavailable
	tests := []struct {
		name          string
		before, after map[string]types.ChangeSetSummary
		want          string
		wrong         bool
	}{
		{"none", sets(available), sets(available), "", false},
		{"an old one", sets(available, "old"), sets(available, "old"), "", false},
		{"a new one beside an old one", sets(available, "old"), sets(available, "old", "new"), "new", false},
		{"a new one that changes nothing", sets(available), sets(other, "new"), "", false},
		{"two new ones", sets(available), sets(available, "mine", "theirs"), "", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got, err := added(test.before, test.after); got != test.want || (err != nil) != test.wrong {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestAChangeSetIsReadToItsLastPage(t *testing.T) {
	page := func(id, next string) string {
		return fmt.Sprintf("<Changes><member><Type>Resource</Type><ResourceChange><LogicalResourceId>%s</LogicalResourceId></ResourceChange></member></Changes>%s", id, next)
	}
	d := deployment{client: cloudFormation(t, func(_ string, r *http.Request) string {
		if r.FormValue("NextToken") == "more" {
			return page("Second", "")
		}
		return page("First", "<NextToken>more</NextToken>")
	})}
	set, err := d.whole(t.Context(), "id")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range set.Changes {
		got = append(got, aws.ToString(c.ResourceChange.LogicalResourceId))
	}
	if diff := cmp.Diff([]string{"First", "Second"}, got); diff != "" {
		t.Errorf("its changes (-want +got):\n%s", diff)
	}
}

func TestAnInterruptedDeploymentDeletesItsChangeSet(t *testing.T) {
	losing := []types.Change{change(types.ChangeActionRemove, "", "Q", "AWS::SQS::Queue")}
	tests := []struct {
		name    string
		changes []types.Change
		asked   bool // the deployment is interrupted while it asks; otherwise before that
	}{
		{"while it asks", losing, true},
		{"before it asks", losing, false},
		{"before it would go on without asking", nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var deleted []string
			d := deployment{environment: environment{stack: "postrider"}, client: cloudFormation(t, func(action string, r *http.Request) string {
				deleted = append(deleted, action+" "+r.FormValue("ChangeSetName"))
				return ""
			})}
			in, end := io.Pipe()
			defer func() { _ = end.Close() }()
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			said := &told{}
			if test.asked {
				said.until, said.then = "type the stack's name", interrupt
			} else {
				interrupt()
			}
			d.ask = asker{in: in, out: said, terminal: true}
			done := make(chan error, 1)
			go func() {
				done <- d.agree(ctx, &cloudformation.DescribeChangeSetOutput{ChangeSetId: aws.String("mine"), Changes: test.changes})
			}()
			select {
			case err := <-done:
				if err == nil || !strings.Contains(err.Error(), errStopped.Error()) {
					t.Errorf("it ends with %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it still asks")
			}
			if diff := cmp.Diff([]string{"DeleteChangeSet mine"}, deleted); diff != "" {
				t.Errorf("what CloudFormation was asked for (-want +got):\n%s", diff)
			}
		})
	}
}

type told struct {
	text  strings.Builder
	until string // Write calls then whenever text contains it
	then  func()
}

func (s *told) Write(p []byte) (int, error) {
	n, err := s.text.Write(p)
	if s.then != nil && strings.Contains(s.text.String(), s.until) {
		s.then()
	}
	return n, err
}

func TestKeysThatMayNotBeReadHoldNothingUp(t *testing.T) {
	client := ssm.NewFromConfig(answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-ErrorType", "AccessDeniedException")
		w.WriteHeader(http.StatusBadRequest)
	}))
	var said strings.Builder
	tellKeys(t.Context(), client, "/postrider/keys", asker{out: &said})
	if !strings.Contains(said.String(), "/postrider/keys") || !strings.Contains(said.String(), "cannot be told") {
		t.Errorf("it says %q", said.String())
	}
}

func TestThePlaceTellsAnotherAccountAndALocalStackFromAWS(t *testing.T) {
	e := environment{stack: "postrider-production", region: "eu-central-1"}
	if got := place(e, "123456789012", ""); got != "the stack postrider-production in eu-central-1 of the account 123456789012" {
		t.Error(got)
	}
	if got := place(e, "000000000000", "http://127.0.0.1:4566"); !strings.Contains(got, "http://127.0.0.1:4566") || !strings.Contains(got, "not AWS") {
		t.Error(got)
	}
}
