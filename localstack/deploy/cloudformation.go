package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"postrider/internal/clock"
)

// interval is the pause between two reads of a stack's status. `aws cloudformation
// deploy` waits 30 s.
const interval = 250 * time.Millisecond

// Resource is a resource that a stack created.
type Resource struct {
	LogicalID  string
	PhysicalID string
	Type       string
}

// Result describes a deployed stack.
type Result struct {
	Outputs   map[string]string
	Resources map[string]Resource // by logical id
	Changed   bool
}

// Stack creates the stack, or updates it to the template and the parameters.
//
// It fails, with the reasons from the events, when a resource was not really created:
// LocalStack reports success for types that it does not know, with the physical id
// "unknown".
//
// A stack whose creation failed is deleted and created again. A stack that was complete
// once is never deleted, because it holds data. After an update that failed half way,
// Stack leaves it alone: LocalStack reports ROLLBACK_COMPLETE, but rolls nothing back,
// and forgets which resources exist. Another update would do more damage.
func Stack(ctx context.Context, cfg aws.Config, name string, template []byte, parameters map[string]string) (Result, error) {
	d := deployment{client: cloudformation.NewFromConfig(cfg), name: name}
	result, err := d.run(ctx, template, parameters)
	if err != nil {
		return Result{}, fmt.Errorf("deploy the stack %s: %w%s", name, err, d.failures(ctx))
	}
	return result, nil
}

// Read reads a stack that was deployed by other means. It checks the stack as [Stack]
// does.
func Read(ctx context.Context, cfg aws.Config, name string) (Result, error) {
	d := deployment{client: cloudformation.NewFromConfig(cfg), name: name}
	stack, err := d.settled(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("read the stack %s: %w", name, err)
	}
	result, err := d.result(ctx, stack)
	if err != nil {
		return Result{}, fmt.Errorf("read the stack %s: %w", name, err)
	}
	return result, nil
}

// Exists reports whether there is a stack of this name, in any state except deleted.
func Exists(ctx context.Context, cfg aws.Config, name string) (bool, error) {
	out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if isMissing(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the stack %s: %w", name, err)
	}
	return out.Stacks[0].StackStatus != types.StackStatusDeleteComplete, nil
}

var errHalf = errors.New("an update failed half way, and LocalStack can neither take it back nor go on from there. " +
	"What is there stays, with its data, until `make down`; then the stack can be started again")

// deployment is one deployment of a stack by CloudFormation's API.
type deployment struct {
	client  *cloudformation.Client
	name    string
	started time.Time
}

func (d *deployment) run(ctx context.Context, template []byte, parameters map[string]string) (Result, error) {
	kind, err := d.prepare(ctx)
	if err != nil {
		return Result{}, err
	}
	d.started = time.Now().Add(-time.Second) // the times of events are less exact
	changed, err := d.change(ctx, kind, template, parameters)
	if err != nil {
		return Result{}, err
	}
	stack, err := d.settled(ctx)
	if err != nil {
		return Result{}, err
	}
	result, err := d.result(ctx, stack)
	if err != nil && kind == types.ChangeSetTypeUpdate && stack.StackStatus == types.StackStatusRollbackComplete {
		err = fmt.Errorf("%w\n%w", err, errHalf)
	}
	result.Changed = changed
	return result, err
}

// result returns the outputs and resources of a settled stack, or an error if the stack
// is not complete.
func (d *deployment) result(ctx context.Context, stack types.Stack) (Result, error) {
	if s := stack.StackStatus; s != types.StackStatusCreateComplete && s != types.StackStatusUpdateComplete {
		return Result{}, errors.New(strings.TrimSuffix(fmt.Sprintf("it ended as %s: %s", s, aws.ToString(stack.StackStatusReason)), ": "))
	}
	resources, err := d.resources(ctx)
	if err != nil {
		return Result{}, err
	}
	outputs := map[string]string{}
	for _, o := range stack.Outputs {
		outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return Result{Outputs: outputs, Resources: resources}, nil
}

// prepare reports whether to create or to update the stack, and deletes the rest of a
// failed creation. The status does not distinguish a failed creation from a failed
// update: LocalStack reports ROLLBACK_COMPLETE or CREATE_FAILED for both.
func (d *deployment) prepare(ctx context.Context) (types.ChangeSetType, error) {
	stack, err := d.settled(ctx)
	if isMissing(err) {
		return types.ChangeSetTypeCreate, nil
	}
	if err != nil {
		return "", err
	}
	switch stack.StackStatus {
	case types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusUpdateRollbackComplete:
		return types.ChangeSetTypeUpdate, nil
	case types.StackStatusDeleteComplete:
		return types.ChangeSetTypeCreate, nil
	default:
	}
	complete, err := d.wasComplete(ctx)
	if err != nil {
		return "", err
	}
	if complete && stack.StackStatus == types.StackStatusRollbackComplete {
		return "", errHalf
	}
	if complete { // the update did not even begin
		return types.ChangeSetTypeUpdate, nil
	}
	if _, err := d.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &d.name}); err != nil {
		return "", fmt.Errorf("delete what a failed attempt left (%s): %w", stack.StackStatus, err)
	}
	return types.ChangeSetTypeCreate, d.deleted(ctx)
}

// deleted waits until the stack is gone, for about 10 s after the deletion has settled.
// LocalStack reports DELETE_FAILED for a moment when a resource had nothing to delete,
// and then goes on.
func (d *deployment) deleted(ctx context.Context) error {
	for patience := 10 * time.Second; ; patience -= interval {
		stack, err := d.settled(ctx)
		switch {
		case isMissing(err):
			return nil
		case err != nil:
			return err
		case stack.StackStatus == types.StackStatusDeleteComplete:
			return nil
		case patience <= 0:
			return fmt.Errorf("what a failed attempt left cannot be deleted: %s", stack.StackStatus)
		}
		if err := clock.Sleep(ctx, interval); err != nil {
			return err
		}
	}
}

// wasComplete reports whether the whole stack existed at some time.
func (d *deployment) wasComplete(ctx context.Context) (bool, error) {
	pages := cloudformation.NewDescribeStackEventsPaginator(d.client, &cloudformation.DescribeStackEventsInput{StackName: &d.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return false, fmt.Errorf("look at the stack's events: %w", err)
		}
		for _, e := range page.StackEvents {
			itself := aws.ToString(e.ResourceType) == "AWS::CloudFormation::Stack" && aws.ToString(e.LogicalResourceId) == d.name
			if itself && (e.ResourceStatus == types.ResourceStatusCreateComplete || e.ResourceStatus == types.ResourceStatusUpdateComplete) {
				return true, nil
			}
		}
	}
	return false, nil
}

// change creates and executes a change set. It returns false if there is nothing to
// change.
func (d *deployment) change(ctx context.Context, kind types.ChangeSetType, template []byte, parameters map[string]string) (bool, error) {
	set := fmt.Sprintf("change-%d", time.Now().UnixNano())
	in := &cloudformation.CreateChangeSetInput{
		StackName: &d.name, ChangeSetName: &set, ChangeSetType: kind, TemplateBody: aws.String(string(template)),
		Capabilities: []types.Capability{types.CapabilityCapabilityIam, types.CapabilityCapabilityAutoExpand},
	}
	for name, value := range parameters {
		in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: aws.String(name), ParameterValue: aws.String(value)})
	}
	if _, err := d.client.CreateChangeSet(ctx, in); err != nil {
		return false, fmt.Errorf("create a change set: %w", err)
	}
	for {
		out, err := d.client.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{StackName: &d.name, ChangeSetName: &set})
		if err != nil {
			return false, fmt.Errorf("look at the change set: %w", err)
		}
		switch out.Status {
		case types.ChangeSetStatusCreateComplete:
			if _, err := d.client.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{StackName: &d.name, ChangeSetName: &set}); err != nil {
				return false, fmt.Errorf("execute the change set: %w", err)
			}
			return true, nil
		case types.ChangeSetStatusFailed:
			reason := aws.ToString(out.StatusReason)
			if kind == types.ChangeSetTypeUpdate && unchanged(reason) {
				_, err := d.client.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{StackName: &d.name, ChangeSetName: &set})
				return false, err
			}
			return false, fmt.Errorf("the change set failed: %s", reason)
		default: // CloudFormation is still creating it
		}
		if err := clock.Sleep(ctx, interval); err != nil {
			return false, err
		}
	}
}

func unchanged(reason string) bool {
	return strings.Contains(reason, "didn't contain changes") || strings.Contains(reason, "No updates are to be performed")
}

// settled waits until no operation on the stack is in progress.
func (d *deployment) settled(ctx context.Context) (types.Stack, error) {
	for {
		out, err := d.client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &d.name})
		if err != nil {
			return types.Stack{}, fmt.Errorf("look at the stack: %w", err)
		}
		if s := out.Stacks[0]; !strings.HasSuffix(string(s.StackStatus), "_IN_PROGRESS") || s.StackStatus == types.StackStatusReviewInProgress {
			return s, nil
		}
		if err := clock.Sleep(ctx, interval); err != nil {
			return types.Stack{}, err
		}
	}
}

// resources returns the stack's resources by logical id. It fails if LocalStack did not
// really create one of them.
func (d *deployment) resources(ctx context.Context) (map[string]Resource, error) {
	out, err := d.client.DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{StackName: &d.name})
	if err != nil {
		return nil, fmt.Errorf("list the stack's resources: %w", err)
	}
	all := map[string]Resource{}
	var unreal []string
	for _, r := range out.StackResources {
		resource := Resource{LogicalID: aws.ToString(r.LogicalResourceId), PhysicalID: aws.ToString(r.PhysicalResourceId), Type: aws.ToString(r.ResourceType)}
		all[resource.LogicalID] = resource
		if resource.PhysicalID == "" || resource.PhysicalID == "unknown" {
			unreal = append(unreal, resource.LogicalID+" ("+resource.Type+")")
		}
	}
	if len(unreal) > 0 {
		slices.Sort(unreal)
		return nil, fmt.Errorf("LocalStack says that the stack is complete, but did not really create %s: it does not know these types", strings.Join(unreal, ", "))
	}
	return all, nil
}

// failures returns the errors of this deployment, one line each, oldest first.
func (d *deployment) failures(ctx context.Context) string {
	if d.started.IsZero() {
		return ""
	}
	out, err := d.client.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &d.name})
	if err != nil {
		return ""
	}
	var b strings.Builder
	slices.Reverse(out.StackEvents)
	for _, e := range out.StackEvents {
		if reason := aws.ToString(e.ResourceStatusReason); strings.HasSuffix(string(e.ResourceStatus), "_FAILED") && reason != "" && !e.Timestamp.Before(d.started) {
			fmt.Fprintf(&b, "\n  %s (%s): %s", aws.ToString(e.LogicalResourceId), aws.ToString(e.ResourceType), reason)
		}
	}
	return b.String()
}

func isMissing(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist")
}
