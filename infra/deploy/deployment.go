package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
	"gopkg.in/yaml.v3"
)

// deployment is one deployment of an environment by sam and CloudFormation.
type deployment struct {
	environment

	client   *cloudformation.Client
	ask      asker
	place    string // stack, region and account, in words
	sam      string
	options  []string      // for sam deploy
	interval time.Duration // between two reads of the stack's status
}

// options returns the arguments that make sam use the given bucket instead of its own,
// and CloudFormation the given role instead of the caller's. A pipeline whose role is
// from infra/role.yaml needs both. Each of the two may be empty.
func options(bucket, role string) []string {
	var all []string
	if bucket != "" {
		all = append(all, "--no-resolve-s3", "--s3-bucket", bucket)
	}
	if role != "" {
		all = append(all, "--role-arn", role)
	}
	return all
}

// prepare builds the functions and makes a change set. It returns nil if there is
// nothing to change.
func (d deployment) prepare(ctx context.Context) (*cloudformation.DescribeChangeSetOutput, error) {
	stack, err := d.look(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.obstacle(stack); err != nil {
		return nil, err
	}
	architecture, err := d.architecture(stack)
	if err != nil {
		return nil, err
	}
	secrets, err := d.secrets(stack == nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(secrets) }() // the file mode, 0600, keeps other users out
	before, err := d.sets(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.run(ctx, forLambda(os.Environ(), architecture), "build", "--config-env", d.name); err != nil {
		return nil, err
	}
	arguments := slices.Concat([]string{"deploy", "--config-env", d.name, "--no-execute-changeset", "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"},
		d.options, []string{"--parameter-overrides", "file://" + d.parameters, "file://" + secrets})
	if err := d.run(ctx, os.Environ(), arguments...); err != nil {
		return nil, err
	}
	after, err := d.sets(ctx)
	if err != nil {
		return nil, err
	}
	id, err := added(before, after)
	if err != nil {
		return nil, err
	}
	if id == "" {
		fmt.Fprintln(d.ask.out, "nothing to deploy")
		return nil, nil //nolint:nilnil // nothing to change is not an error
	}
	return d.whole(ctx, id)
}

// obstacle returns an error that says what a person has to do before a deployment is
// possible. Without this check sam would build and upload, and CloudFormation would
// refuse the deployment without an explanation.
func (d deployment) obstacle(stack *types.Stack) error {
	if stack == nil || (stack.StackStatus != types.StackStatusRollbackComplete && stack.StackStatus != types.StackStatusRollbackFailed) {
		return nil
	}
	return fmt.Errorf("the first deployment of %s failed (%s; its events tell why), and nothing can be deployed to what is left of it: "+
		"delete it by `aws cloudformation delete-stack --stack-name %s --region %s`, and deploy again", d.stack, stack.StackStatus, d.stack, d.region)
}

// added returns the id of the one change set that was made between before and after and
// can be executed. It returns an empty id if there is none, and an error if there are
// several: the one from this deployment cannot be identified.
func added(before, after map[string]types.ChangeSetSummary) (string, error) {
	var ids []string
	for id, set := range after {
		if _, old := before[id]; !old && set.ExecutionStatus == types.ExecutionStatusAvailable {
			ids = append(ids, id)
		}
	}
	switch len(ids) {
	case 0:
		return "", nil
	case 1:
		return ids[0], nil
	}
	slices.Sort(ids)
	return "", fmt.Errorf("somebody else deploys to this stack, too: nothing was carried out of the new change sets\n  %s", strings.Join(ids, "\n  "))
}

// secrets writes the secret parameters into a file for sam. They must not stand in the
// repository, nor on a command line, where each process of the machine sees them. An
// existing stack keeps its token if no other token is given. A stack has either the
// token or the SSM parameter that holds it: setting one of them empties the other.
func (d deployment) secrets(first bool) (path string, err error) {
	given, err := d.given()
	if err != nil {
		return "", err
	}
	token, named := os.Getenv("PROVIDER_TOKEN"), given["ProviderTokenParameter"]
	parameters := map[string]string{}
	switch {
	case token != "" && named != "":
		return "", fmt.Errorf("PROVIDER_TOKEN is set, and %s says that the token is in the SSM parameter %s: unset the one, or take the other out", d.parameters, named)
	case token != "":
		parameters["ProviderToken"], parameters["ProviderTokenParameter"] = token, ""
	case named != "":
		parameters["ProviderToken"] = ""
	case first:
		return "", fmt.Errorf("PROVIDER_TOKEN is not set, nor ProviderTokenParameter in %s: the first deployment needs the sending API's token", d.parameters)
	}
	file, err := os.CreateTemp("", "postrider-*.yaml") // the mode is 0600
	if err != nil {
		return "", err
	}
	err = yaml.NewEncoder(file).Encode(parameters)
	return file.Name(), errors.Join(err, file.Close())
}

// run runs sam. When ctx ends, run interrupts sam, and sam then removes its own files.
func (d deployment) run(ctx context.Context, environ []string, arguments ...string) error {
	command := exec.CommandContext(ctx, d.sam, arguments...) //nolint:gosec // G204: sam, with our own arguments
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	command.Env = slices.Concat(environ, []string{"SAM_CLI_TELEMETRY=0", "AWS_DEFAULT_REGION=" + d.region})
	command.Stdout, command.Stderr = d.ask.out, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("sam %s: %w", arguments[0], err)
	}
	return nil
}

// look returns the current stack, or nil if it does not exist.
func (d deployment) look(ctx context.Context) (*types.Stack, error) {
	out, err := d.client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &d.stack})
	if isMissing(err) {
		return nil, nil //nolint:nilnil // a missing stack is not an error
	}
	if err != nil {
		return nil, fmt.Errorf("look at the stack %s: %w", d.stack, err)
	}
	if s := out.Stacks[0]; s.StackStatus != types.StackStatusReviewInProgress {
		return &s, nil
	}
	return nil, nil //nolint:nilnil // there is only a change set
}

// sets returns the stack's change sets by id.
func (d deployment) sets(ctx context.Context) (map[string]types.ChangeSetSummary, error) {
	all := map[string]types.ChangeSetSummary{}
	pages := cloudformation.NewListChangeSetsPaginator(d.client, &cloudformation.ListChangeSetsInput{StackName: &d.stack})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isMissing(err) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list the change sets of %s: %w", d.stack, err)
		}
		for _, s := range page.Summaries {
			all[aws.ToString(s.ChangeSetId)] = s
		}
	}
	return all, nil
}

// whole returns a change set with the changes of all its pages.
func (d deployment) whole(ctx context.Context, id string) (*cloudformation.DescribeChangeSetOutput, error) {
	in := &cloudformation.DescribeChangeSetInput{StackName: &d.stack, ChangeSetName: &id}
	var first *cloudformation.DescribeChangeSetOutput
	for {
		page, err := d.client.DescribeChangeSet(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("look at the change set: %w", err)
		}
		if first == nil {
			first = page
		} else {
			first.Changes = append(first.Changes, page.Changes...)
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return first, nil
		}
	}
}

// agree shows what a change set would do. It deletes the change set if the deployment
// is not confirmed.
func (d deployment) agree(ctx context.Context, set *cloudformation.DescribeChangeSetOutput) error {
	p := planOf(set.Changes)
	fmt.Fprintf(d.ask.out, "\n%s:\n  %s\n", d.place, strings.Join(p.Lines, "\n  "))
	if err := agree(ctx, p, d.stack, d.ask); err != nil {
		return errors.Join(err, d.discard(ctx, set))
	}
	return nil
}

// discard deletes a change set, even if ctx has already ended.
func (d deployment) discard(ctx context.Context, set *cloudformation.DescribeChangeSetOutput) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if _, err := d.client.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{StackName: &d.stack, ChangeSetName: set.ChangeSetId}); err != nil {
		return fmt.Errorf("delete the change set: %w", err)
	}
	return nil
}

// execute executes a change set, and waits until the deployment is done.
func (d deployment) execute(ctx context.Context, set *cloudformation.DescribeChangeSetOutput) error {
	if _, err := d.client.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{StackName: &d.stack, ChangeSetName: set.ChangeSetId}); err != nil {
		return fmt.Errorf("execute the change set: %w", err)
	}
	fmt.Fprintln(d.ask.out, "\ndeploying ...")
	tick := time.NewTicker(d.interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return errors.New("the deployment goes on without this command: CloudFormation's console shows it")
		case <-tick.C:
		}
		stack, err := d.look(ctx)
		switch {
		case ctx.Err() != nil:
			continue
		case err != nil:
			return err
		case stack == nil || strings.HasSuffix(string(stack.StackStatus), "_IN_PROGRESS"):
			continue
		case stack.StackStatus != types.StackStatusCreateComplete && stack.StackStatus != types.StackStatusUpdateComplete:
			return fmt.Errorf("it ended as %s: %s: the stack's events tell why", stack.StackStatus, aws.ToString(stack.StackStatusReason))
		}
		fmt.Fprintln(d.ask.out, "deployed to", d.place)
		for _, o := range stack.Outputs {
			fmt.Fprintf(d.ask.out, "  %s: %s\n", aws.ToString(o.OutputKey), aws.ToString(o.OutputValue))
		}
		return nil
	}
}

// isMissing reports whether err says that the stack or the change set does not exist.
func isMissing(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && (api.ErrorCode() == "ValidationError" || api.ErrorCode() == "ChangeSetNotFound") && strings.Contains(api.ErrorMessage(), "does not exist")
}
