package infra_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/cfn"
)

// list is one string, or several. A reference is read as the text in it.
type list []string

func (l *list) UnmarshalJSON(raw []byte) error {
	var values any
	err := json.Unmarshal(raw, &values)
	*l = nil
	for _, v := range cfn.List(values) {
		*l = append(*l, cfn.Argument(v))
	}
	return err
}

type statement struct {
	Sid       string         `json:"Sid"`
	Effect    string         `json:"Effect"`
	Action    list           `json:"Action"`
	Resource  list           `json:"Resource"`
	Condition map[string]any `json:"Condition"`
}

// policies are the statements of all policies of a role, also those in a condition.
type policies []statement

func (p *policies) UnmarshalJSON(raw []byte) error {
	var all any
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	return cfn.Decode(cfn.Statements(all), (*[]statement)(p))
}

type role struct {
	AssumeRolePolicyDocument any      `json:"AssumeRolePolicyDocument"`
	ManagedPolicyArns        []any    `json:"ManagedPolicyArns"`
	Policies                 policies `json:"Policies"`
}

// roles returns the roles of infra/role.yaml, by their logical id.
func roles(t *testing.T) map[string]role {
	t.Helper()
	all := resources[role](t, "infra/role.yaml", "AWS::IAM::Role")
	if len(all) != 2 {
		t.Fatalf("there are %d roles", len(all))
	}
	return all
}

// allowed returns the actions that a role may take on any resource.
func (r role) allowed() []string {
	var all []string
	for _, s := range r.Policies {
		if s.Effect == "Allow" {
			all = append(all, s.Action...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// statements returns the statements of all policies of infra/role.yaml.
func statements(t *testing.T) []statement {
	t.Helper()
	var all []statement
	for _, r := range roles(t) {
		all = append(all, r.Policies...)
	}
	if len(all) < 20 {
		t.Fatalf("only %d statements", len(all))
	}
	return all
}

// TestOnlyOneBranchsPipelineAndCloudFormationTakeOnTheRoles compares the trust policies
// of the roles. No other policy says who may assume a role, and one wrong character lets
// in every branch, or every caller.
func TestOnlyOneBranchsPipelineAndCloudFormationTakeOnTheRoles(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"PipelineRole": `
Fn::If:
- Github
- Version: "2012-10-17"
  Statement:
    - Effect: Allow
      Action: sts:AssumeRoleWithWebIdentity
      Principal: {Federated: !If [MakesProvider, !Ref Provider, !Ref ProviderArn]}
      Condition:
        StringEquals:
          token.actions.githubusercontent.com:aud: sts.amazonaws.com
          token.actions.githubusercontent.com:sub: !Sub "repo:${Repository}:ref:refs/heads/${Branch}"
- Version: "2012-10-17"
  Statement:
    - Effect: Allow
      Action: sts:AssumeRoleWithWebIdentity
      Principal: {Federated: !If [MakesProvider, !Ref Provider, !Ref ProviderArn]}
      Condition:
        StringEquals:
          gitlab.com:aud: https://gitlab.com
          gitlab.com:sub: !Sub "project_path:${Repository}:ref_type:branch:ref:${Branch}"`,
		"CloudFormationRole": `
Version: "2012-10-17"
Statement:
  - Effect: Allow
    Action: sts:AssumeRole
    Principal: {Service: cloudformation.amazonaws.com}`,
	}
	for id, r := range roles(t) {
		var trust any
		if err := cfn.Unmarshal([]byte(want[id]), &trust); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(trust, r.AssumeRolePolicyDocument); diff != "" {
			t.Errorf("who takes on %s (-want +got):\n%s", id, diff)
		}
		if r.ManagedPolicyArns != nil {
			t.Errorf("%s has %v", id, r.ManagedPolicyArns)
		}
	}
}

// TestARepositoryAndABranchHoldNoWildcard tries values of the two parameters, because
// they are inserted into the subject unchanged.
func TestARepositoryAndABranchHoldNoWildcard(t *testing.T) {
	t.Parallel()
	parameters := parse(t, "infra/role.yaml").Parameters
	tests := []struct {
		parameter, value string
		allowed          bool
	}{
		{"Repository", "owner/name", true},
		{"Repository", "group/sub-group/project.x", true},
		{"Repository", "owner@123456/name@456789", true},
		{"Repository", "owner", false},
		{"Repository", "owner/*", false},
		{"Repository", "owner/nam?", false},
		{"Repository", "owner/name:ref", false},
		{"Branch", "main", true},
		{"Branch", "release/1.0", true},
		{"Branch", "*", false},
	}
	for _, test := range tests {
		if regexp.MustCompile("^(?:"+parameters[test.parameter].AllowedPattern+")$").MatchString(test.value) != test.allowed {
			t.Errorf("%s %s: want it allowed %t", test.parameter, test.value, test.allowed)
		}
	}
}

// TestThePipelineMayDoWhatADeploymentCallsAndNoMore compares the pipeline's permissions
// with all calls of make deploy (of sam deploy, and of infra/stackpolicy.py), and of sam
// deploy for alarms and dashboard.
func TestThePipelineMayDoWhatADeploymentCallsAndNoMore(t *testing.T) {
	t.Parallel()
	want := []string{
		"cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet", "cloudformation:DescribeStackEvents",
		"cloudformation:DescribeStacks", "cloudformation:ExecuteChangeSet", "cloudformation:GetTemplateSummary",
		"cloudformation:SetStackPolicy", "iam:PassRole", "s3:GetObject", "s3:PutObject",
	}
	pipeline := roles(t)["PipelineRole"]
	if diff := cmp.Diff(want, pipeline.allowed()); diff != "" {
		t.Errorf("what the pipeline may do (-want +got):\n%s", diff)
	}
	var denied []statement
	for _, s := range pipeline.Policies {
		if s.Effect == "Deny" {
			denied = append(denied, s)
		}
	}
	never := []statement{{
		Sid: "NeverWithoutIt", Effect: "Deny", Action: list{"cloudformation:CreateChangeSet"},
		Resource:  list{"arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/*"},
		Condition: map[string]any{"StringNotEquals": map[string]any{"cloudformation:RoleArn": map[string]any{"Fn::GetAtt": []any{"CloudFormationRole", "Arn"}}}},
	}}
	if diff := cmp.Diff(never, denied); diff != "" {
		t.Errorf("what it never may (-want +got):\n%s", diff)
	}
}

// needs lists the actions by which CloudFormation creates, reads, changes and removes a
// type of resource, with its tags. A table is not removed.
var needs = map[string][]string{
	"AWS::Serverless::Function": {
		"lambda:AddPermission", "lambda:CreateFunction", "lambda:DeleteFunction", "lambda:DeleteFunctionConcurrency", "lambda:GetFunction",
		"lambda:GetFunctionCodeSigningConfig", "lambda:GetFunctionConfiguration", "lambda:GetFunctionRecursionConfig", "lambda:GetPolicy",
		"lambda:GetRuntimeManagementConfig", "lambda:ListTags", "lambda:PutFunctionConcurrency", "lambda:RemovePermission", "lambda:TagResource",
		"lambda:UntagResource", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
		// The permission to call itself, and the retries of its events.
		"lambda:PutFunctionRecursionConfig", "lambda:PutFunctionEventInvokeConfig", "lambda:GetFunctionEventInvokeConfig",
		"lambda:UpdateFunctionEventInvokeConfig", "lambda:DeleteFunctionEventInvokeConfig",
		// Its events from queues, and from rules.
		"lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping",
		"events:DeleteRule", "events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule", "events:PutRule", "events:PutTargets",
		"events:RemoveTargets", "events:TagResource", "events:UntagResource",
		// Its role.
		"iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies",
		"iam:PassRole", "iam:PutRolePolicy", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
	},
	"AWS::IAM::Role":       nil, // a function's
	"AWS::Serverless::Api": {"apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT"},
	"AWS::DynamoDB::Table": {
		"dynamodb:CreateTable", "dynamodb:DescribeContinuousBackups", "dynamodb:DescribeContributorInsights", "dynamodb:DescribeKinesisStreamingDestination",
		"dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:GetResourcePolicy", "dynamodb:ListTagsOfResource", "dynamodb:TagResource",
		"dynamodb:UntagResource", "dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTable", "dynamodb:UpdateTimeToLive",
	},
	"AWS::SQS::Queue": {
		"sqs:CreateQueue", "sqs:DeleteQueue", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue",
	},
	"AWS::SQS::QueuePolicy": {"sqs:GetQueueAttributes", "sqs:SetQueueAttributes"},
	"AWS::Logs::LogGroup": {
		"logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DeleteRetentionPolicy", "logs:DescribeLogGroups", "logs:ListTagsForResource",
		"logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
	},
	"AWS::SNS::Topic": {
		"sns:CreateTopic", "sns:DeleteTopic", "sns:GetDataProtectionPolicy", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic",
		"sns:ListTagsForResource", "sns:SetTopicAttributes", "sns:TagResource", "sns:UntagResource",
	},
	"AWS::SNS::Subscription": {"sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Subscribe", "sns:Unsubscribe"},
	"AWS::SNS::TopicPolicy":  {"sns:GetTopicAttributes", "sns:SetTopicAttributes"},
	"AWS::CloudWatch::Alarm": {
		"cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource",
	},
	"AWS::CloudWatch::Dashboard": {"cloudwatch:DeleteDashboards", "cloudwatch:GetDashboard", "cloudwatch:PutDashboard"},
}

func TestCloudFormationMayDoWhatTheStacksResourcesNeedAndNoMore(t *testing.T) {
	t.Parallel()
	want := []string{"cloudformation:CreateChangeSet", "s3:GetObject"} // sam's transform, and the functions' packages
	for _, file := range []string{"template.yaml", "infra/alarms.yaml", "infra/dashboard.yaml"} {
		for id, r := range parse(t, file).Resources {
			actions, known := needs[r.Type]
			if !known {
				t.Errorf("%s: what does CloudFormation need for the %s %s?", file, r.Type, id)
			}
			want = append(want, actions...)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(slices.Compact(want), roles(t)["CloudFormationRole"].allowed()); diff != "" {
		t.Errorf("what CloudFormation may do for the stacks (-want +got):\n%s", diff)
	}
}

func TestTheRoleAllowsNoActionByWildcardAndNoTableToBeDeleted(t *testing.T) {
	t.Parallel()
	for _, s := range statements(t) {
		for _, action := range s.Action {
			if s.Effect == "Allow" && (strings.Contains(action, "*") || action == "dynamodb:DeleteTable") {
				t.Errorf("%s allows %s", s.Sid, action)
			}
		}
	}
}

// TestWhatTheRoleMayDoIsHeldToTheStacksNamesButForWhatHasNone lists the statements that
// may cover other names. The template gives the reason beside each of them.
func TestWhatTheRoleMayDoIsHeldToTheStacksNamesButForWhatHasNone(t *testing.T) {
	t.Parallel()
	unheld := map[string]bool{}
	for _, s := range statements(t) {
		for _, resource := range s.Resource {
			held := strings.Contains(resource, "${StackPrefix}") || strings.Contains(resource, "${ArtifactsBucket}") ||
				strings.HasSuffix(resource, "transform/Serverless-2016-10-31") || resource == "CloudFormationRole.Arn"
			if s.Effect == "Allow" && !held {
				unheld[s.Sid] = true
			}
		}
	}
	want := []string{"Apis", "EventSources", "EventSourcesRead", "LogsListed", "Templates"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(unheld))); diff != "" {
		t.Errorf("statements on what has no name of ours (-want +got):\n%s", diff)
	}
}

func TestARoleIsOnlyPassedOnToTheServiceThatNeedsIt(t *testing.T) {
	t.Parallel()
	var to []any
	for _, s := range statements(t) {
		if s.Effect != "Allow" || !slices.Contains(s.Action, "iam:PassRole") {
			continue
		}
		condition, _ := s.Condition["StringEquals"].(map[string]any)
		to = append(to, condition["iam:PassedToService"])
	}
	slices.SortFunc(to, func(a, b any) int { return strings.Compare(a.(string), b.(string)) }) //nolint:forcetypeassert // a nil is a failure, too
	if diff := cmp.Diff([]any{"cloudformation.amazonaws.com", "lambda.amazonaws.com"}, to); diff != "" {
		t.Errorf("passed on to (-want +got):\n%s", diff)
	}
}
