package infra_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// list is one string, or several.
type list []string

func (l *list) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*l = list{node.Value}
		return nil
	}
	return node.Decode((*[]string)(l))
}

type statement struct {
	Sid       string         `yaml:"Sid"`
	Effect    string         `yaml:"Effect"`
	Action    list           `yaml:"Action"`
	Resource  list           `yaml:"Resource"`
	Condition map[string]any `yaml:"Condition"`
}

// statements are those of all policies of infra/role.yaml.
func statements(t *testing.T) []statement {
	t.Helper()
	var all []statement
	for id, r := range parse(t, "infra/role.yaml").Resources {
		if r.Type != "AWS::IAM::Role" {
			continue
		}
		var role struct {
			Policies []struct {
				PolicyDocument struct {
					Statement []statement `yaml:"Statement"`
				} `yaml:"PolicyDocument"`
			} `yaml:"Policies"`
		}
		if err := r.Properties.Decode(&role); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		for _, p := range role.Policies {
			all = append(all, p.PolicyDocument.Statement...)
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d statements", len(all))
	}
	return all
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

// Each of these has its reason beside it in the template.
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
	slices.SortFunc(to, func(a, b any) int { return strings.Compare(a.(string), b.(string)) }) //nolint:forcetypeassert // a nil is a failure too
	if diff := cmp.Diff([]any{"cloudformation.amazonaws.com", "lambda.amazonaws.com"}, to); diff != "" {
		t.Errorf("passed on to (-want +got):\n%s", diff)
	}
}
