//go:build integration

package integration_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"postrider/internal/cfn"
)

// testPolicies compares the permissions of each function's deployed role with the calls
// that were made in all of these tests. LocalStack does not enforce IAM, so no other test
// would find a missing permission, or an unused one.
func testPolicies(t *testing.T) {
	template := deployedTemplate(t)
	made := map[string]bool{}
	for _, c := range running.Calls() {
		for _, name := range []string{keysParameter, tokenParameter} {
			if c.Resource == parameters[name] {
				c.Resource = name
			}
		}
		made[c.Function+" "+c.Action+" "+c.Resource] = true
	}
	called := len(made)
	allowed := map[string]bool{}
	for _, call := range byLambda(template) {
		made[call] = true
	}
	for name, function := range template.Resources("AWS::Lambda::Function") {
		role := cfn.At(template["Resources"], nameOf(function["Role"]), "Properties")
		if role == nil {
			t.Errorf("%s has the role %v, which this stack does not have", name, function["Role"])
		}
		if managed := cfn.At(role, "ManagedPolicyArns"); managed != nil {
			t.Errorf("%s may do everything that %v allow", name, managed)
		}
		// A statement inside a condition counts, too. There is one: whether the token's
		// parameter is named. The stack of these tests names it.
		for _, s := range cfn.Statements(cfn.At(role, "Policies")) {
			for _, action := range cfn.Texts(s["Action"]) {
				for _, on := range cfn.List(s["Resource"]) {
					allowed[name+" "+action+" "+nameOf(on)] = true
				}
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(made)), slices.Sorted(maps.Keys(allowed))); diff != "" {
		t.Errorf("the policies differ from the calls (-made +allowed):\n%s", diff)
	}
	figure(t, "%d permissions of three functions: %d used by their code, the others by Lambda in their name", len(allowed), called)
}

// The template's parameters that name an SSM parameter: one with the keys, and one with
// the sending API's token.
const (
	keysParameter  = "KeysParameter"
	tokenParameter = "ProviderTokenParameter"
)

// byLambda returns the calls that Lambda makes with the functions' roles. The functions'
// code does not make them, so they are not among the observed calls. Lambda polls a
// function's queue (docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html),
// and writes its output into its log group. The group exists, so Lambda makes only
// streams.
func byLambda(t cfn.Template) []string {
	var all []string
	for _, mapping := range t.Resources("AWS::Lambda::EventSourceMapping") {
		function, on := nameOf(mapping["FunctionName"]), " "+nameOf(mapping["EventSourceArn"])
		for _, action := range []string{" sqs:ReceiveMessage", " sqs:DeleteMessage", " sqs:GetQueueAttributes"} {
			all = append(all, function+action+on)
		}
	}
	for name, function := range t.Resources("AWS::Lambda::Function") {
		on := " " + nameOf(cfn.At(function, "LoggingConfig", "LogGroup"))
		all = append(all, name+" logs:CreateLogStream"+on, name+" logs:PutLogEvents"+on)
	}
	return all
}

// nameOf returns the resource that a reference names: X of Fn::GetAtt [X, Arn], and
// X/index/y of Fn::Sub "${X.Arn}/index/y". Of the ARN of an SSM parameter it is the
// template's parameter that names it.
func nameOf(value any) string {
	const parameters = "arn:AWS::Partition:ssm:AWS::Region:AWS::AccountId:parameter"
	text := strings.NewReplacer(".Arn}", "", "${", "", "}", "").Replace(cfn.Argument(value))
	return strings.TrimPrefix(strings.TrimSuffix(text, ".Arn"), parameters)
}

// deployedTemplate returns the template of the stack in the form that SAM has made of it.
func deployedTemplate(t *testing.T) cfn.Template {
	t.Helper()
	out, err := cloudformation.NewFromConfig(running.Config()).GetTemplate(t.Context(), &cloudformation.GetTemplateInput{
		StackName: aws.String("postrider"), TemplateStage: types.TemplateStageProcessed,
	})
	if err != nil {
		t.Fatal(err)
	}
	template, err := cfn.Parse([]byte(aws.ToString(out.TemplateBody)))
	if err != nil {
		t.Fatal(err)
	}
	return template
}
