//go:build integration

package integration_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"
)

// testPolicies compares the permissions of each function's deployed role with the calls
// that were made in all of these tests. LocalStack does not enforce IAM, so no other test
// would find a missing permission, or an unused one.
func testPolicies(t *testing.T) {
	resources := deployedResources(t)
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
	for name, r := range resources {
		for _, call := range r.byLambda(name) {
			made[call] = true
		}
		if r.Type != "AWS::Lambda::Function" {
			continue
		}
		role, ok := resources[string(r.Properties.Role)]
		if !ok {
			t.Errorf("%s has the role %q, which is none of this stack", name, r.Properties.Role)
		}
		for _, managed := range role.Properties.ManagedPolicyArns {
			allowed[name+" all of "+string(managed)] = true
		}
		for _, p := range role.Properties.Policies {
			for _, st := range p.PolicyDocument.Statement {
				for _, action := range st.Action {
					for _, on := range st.Resource {
						allowed[name+" "+string(action)+" "+string(on)] = true
					}
				}
			}
		}
	}
	if diff := cmp.Diff(sorted(made), sorted(allowed)); diff != "" {
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

func sorted(set map[string]bool) []string {
	var all []string
	for s := range set {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

// resource is a resource of the stack, as CloudFormation has it.
type resource struct {
	Type       string `json:"Type"`
	Properties struct {
		Role              named   `json:"Role"`
		ManagedPolicyArns []named `json:"ManagedPolicyArns"`
		Policies          []struct {
			PolicyDocument struct {
				Statement []statement `json:"Statement"`
			} `json:"PolicyDocument"`
		} `json:"Policies"`
		LoggingConfig struct {
			LogGroup named `json:"LogGroup"`
		} `json:"LoggingConfig"`
		FunctionName   named `json:"FunctionName"`
		EventSourceArn named `json:"EventSourceArn"`
	} `json:"Properties"`
}

// statement is a statement of a policy.
type statement struct {
	Action   oneOrMore `json:"Action"`
	Resource oneOrMore `json:"Resource"`
}

// UnmarshalJSON reads a statement, or the statement inside a condition. There is one
// condition: whether the token's parameter is named. The stack of these tests names it.
func (s *statement) UnmarshalJSON(raw []byte) error {
	var branches struct {
		If []json.RawMessage `json:"Fn::If"`
	}
	if err := json.Unmarshal(raw, &branches); err != nil {
		return err
	}
	if len(branches.If) == 3 {
		if string(branches.If[0]) != `"HasTokenParameter"` {
			return fmt.Errorf("%s: whether there is this statement is not known here", raw)
		}
		raw = branches.If[1]
	}
	type plain statement
	return json.Unmarshal(raw, (*plain)(s))
}

// byLambda returns the calls that Lambda makes with a function's role. The function's
// code does not make them, so they are not among the observed calls. Lambda polls the
// function's queue (docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html),
// and writes the function's output into its log group. The group exists, so Lambda makes
// only streams.
func (r resource) byLambda(name string) []string {
	p := r.Properties
	switch r.Type {
	case "AWS::Lambda::EventSourceMapping":
		on := " " + string(p.EventSourceArn)
		function := string(p.FunctionName)
		return []string{function + " sqs:ReceiveMessage" + on, function + " sqs:DeleteMessage" + on, function + " sqs:GetQueueAttributes" + on}
	case "AWS::Lambda::Function":
		on := " " + string(p.LoggingConfig.LogGroup)
		return []string{name + " logs:CreateLogStream" + on, name + " logs:PutLogEvents" + on}
	default:
		return nil
	}
}

// named is a text of a template. A reference is read as the resource that it refers to:
// Fn::GetAtt [X, Arn] as X, Fn::Sub "${X.Arn}/index/y" as X/index/y.
type named string

func (n *named) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*n = named(text)
		return nil
	}
	var reference struct {
		Ref    string   `json:"Ref"`
		GetAtt []string `json:"Fn::GetAtt"`
		Sub    string   `json:"Fn::Sub"`
	}
	if err := json.Unmarshal(raw, &reference); err != nil {
		return fmt.Errorf("%s is no reference that is known here: %w", raw, err)
	}
	s := reference.Ref + strings.NewReplacer(".Arn}", "", "${", "", "}", "").Replace(reference.Sub)
	if len(reference.GetAtt) == 2 && reference.GetAtt[1] == "Arn" {
		s = reference.GetAtt[0]
	}
	*n = named(strings.TrimPrefix(s, "arn:AWS::Partition:ssm:AWS::Region:AWS::AccountId:parameter"))
	return nil
}

// oneOrMore is one text or a list of them.
type oneOrMore []named

func (o *oneOrMore) UnmarshalJSON(raw []byte) error {
	if !strings.HasPrefix(string(raw), "[") {
		raw = slices.Concat([]byte("["), raw, []byte("]"))
	}
	return json.Unmarshal(raw, (*[]named)(o))
}

// deployedResources returns the resources of the stack in the form that SAM has made of
// the template.
func deployedResources(t *testing.T) map[string]resource {
	t.Helper()
	out, err := cloudformation.NewFromConfig(running.Config()).GetTemplate(t.Context(), &cloudformation.GetTemplateInput{
		StackName: aws.String("postrider"), TemplateStage: types.TemplateStageProcessed,
	})
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]resource `json:"Resources"`
	}
	if err := json.Unmarshal([]byte(aws.ToString(out.TemplateBody)), &template); err != nil {
		t.Fatal(err)
	}
	return template.Resources
}
