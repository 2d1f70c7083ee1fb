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

type deployment struct {
	environment

	client   *cloudformation.Client
	ask      asker
	place    string // the stack, its region and its account, in words
	sam      string
	options  []string      // for sam deploy
	interval time.Duration // between two looks at the stack
}

// options lead sam to a bucket in place of the one that it makes for itself, and
// CloudFormation to a role in place of the caller's: infra/role.yaml lets a pipeline
// do nothing otherwise. Both may be empty.
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

// prepare builds, and makes a change set; nil if there is nothing to change.
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
	defer func() { _ = os.Remove(secrets) }() // nobody but us can read it
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
		return nil, nil //nolint:nilnil // nothing to change is no error
	}
	return d.whole(ctx, id)
}

// obstacle says what a person has to do before anything can be deployed. sam would
// build, upload, and be refused by CloudFormation without a word about that.
func (d deployment) obstacle(stack *types.Stack) error {
	if stack == nil || (stack.StackStatus != types.StackStatusRollbackComplete && stack.StackStatus != types.StackStatusRollbackFailed) {
		return nil
	}
	return fmt.Errorf("the first deployment of %s failed (%s; its events tell why), and nothing can be deployed to what is left of it: "+
		"delete it by `aws cloudformation delete-stack --stack-name %s --region %s`, and deploy again", d.stack, stack.StackStatus, d.stack, d.region)
}

// added is the id of the one change set that was made meanwhile, and can be carried
// out; empty if there is none. Which of several is ours cannot be told.
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

// secrets writes what may stand neither in the repository nor on a command line,
// where each process of the machine sees it, into a file for sam. A stack that is
// there keeps its token if there is no other. Of the token and the SSM parameter that
// holds it there is one: what the stack has of the other one is emptied.
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
	file, err := os.CreateTemp("", "postrider-*.yaml") // 0600
	if err != nil {
		return "", err
	}
	err = yaml.NewEncoder(file).Encode(parameters)
	return file.Name(), errors.Join(err, file.Close())
}

// run runs sam. It is interrupted when ctx ends, and removes its own files then.
func (d deployment) run(ctx context.Context, environ []string, arguments ...string) error {
	command := exec.CommandContext(ctx, d.sam, arguments...) //nolint:gosec // G204: sam, with arguments of ours
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	command.Env = slices.Concat(environ, []string{"SAM_CLI_TELEMETRY=0", "AWS_DEFAULT_REGION=" + d.region})
	command.Stdout, command.Stderr = d.ask.out, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("sam %s: %w", arguments[0], err)
	}
	return nil
}

// look is the stack as it is; nil if it is not there.
func (d deployment) look(ctx context.Context) (*types.Stack, error) {
	out, err := d.client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &d.stack})
	if isMissing(err) {
		return nil, nil //nolint:nilnil // a stack that is not there is no error
	}
	if err != nil {
		return nil, fmt.Errorf("look at the stack %s: %w", d.stack, err)
	}
	if s := out.Stacks[0]; s.StackStatus != types.StackStatusReviewInProgress {
		return &s, nil
	}
	return nil, nil //nolint:nilnil // only a change set is there
}

// sets are the stack's change sets, by id.
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

// whole is a change set with the changes of all its pages.
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

// agree shows what a change set would do. If that is not allowed it is deleted.
func (d deployment) agree(ctx context.Context, set *cloudformation.DescribeChangeSetOutput) error {
	p := planOf(set.Changes)
	fmt.Fprintf(d.ask.out, "\n%s:\n  %s\n", d.place, strings.Join(p.Lines, "\n  "))
	if err := agree(ctx, p, d.stack, d.ask); err != nil {
		return errors.Join(err, d.discard(ctx, set))
	}
	return nil
}

// discard deletes a change set, also when it is the end of ctx that refused it.
func (d deployment) discard(ctx context.Context, set *cloudformation.DescribeChangeSetOutput) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if _, err := d.client.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{StackName: &d.stack, ChangeSetName: set.ChangeSetId}); err != nil {
		return fmt.Errorf("delete the change set: %w", err)
	}
	return nil
}

// execute carries a change set out, and stays until that is done.
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

func isMissing(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && (api.ErrorCode() == "ValidationError" || api.ErrorCode() == "ChangeSetNotFound") && strings.Contains(api.ErrorMessage(), "does not exist")
}
