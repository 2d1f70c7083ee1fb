//go:build integration

package integration_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// testPolicies compares what the template allows each function with the calls
// that it made in all of these tests: LocalStack does not enforce IAM, so
// nothing else would tell of one too few, or one too many.
func testPolicies(t *testing.T) {
	made := map[string]bool{}
	for _, c := range running.Calls() {
		if c.Resource == parameters[keysParameter] {
			c.Resource = keysParameter
		}
		made[c.Function+" "+c.Action+" "+c.Resource] = true
	}
	allowed := map[string]bool{}
	for function, statements := range policies(t) {
		for _, st := range statements {
			for _, action := range st.Action {
				for _, resource := range st.Resource {
					allowed[function+" "+action+" "+resource] = true
				}
			}
		}
	}
	if diff := cmp.Diff(sorted(made), sorted(allowed)); diff != "" {
		t.Errorf("the policies differ from the calls (-made +allowed):\n%s", diff)
	}
	figure(t, "%d permissions of three functions, each used", len(allowed))
}

// keysParameter is the template's parameter that names the one with the keys.
const keysParameter = "KeysParameter"

func sorted(set map[string]bool) []string {
	var all []string
	for s := range set {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

// oneOrMore is a YAML scalar or a list of them; !Sub and !GetAtt are read as the
// resource that they name.
type oneOrMore []string

func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	for _, one := range nodes {
		s := one.Value
		s = strings.TrimSuffix(s, ".Arn")
		s = strings.ReplaceAll(s, ".Arn}", "}")
		s = strings.NewReplacer("${", "", "}", "").Replace(s)
		s = strings.TrimPrefix(s, "arn:AWS::Partition:ssm:AWS::Region:AWS::AccountId:parameter")
		*o = append(*o, s)
	}
	return nil
}

type statement struct {
	Action   oneOrMore `yaml:"Action"`
	Resource oneOrMore `yaml:"Resource"`
}

// policies are the statements of each function in template.yaml.
func policies(t *testing.T) map[string][]statement {
	t.Helper()
	raw, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Type       string    `yaml:"Type"`
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(raw, &template); err != nil {
		t.Fatal(err)
	}
	all := map[string][]statement{}
	for name, r := range template.Resources {
		if r.Type != "AWS::Serverless::Function" {
			continue
		}
		var properties struct {
			Policies []struct {
				Statement []statement `yaml:"Statement"`
			} `yaml:"Policies"`
		}
		if err := r.Properties.Decode(&properties); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, p := range properties.Policies {
			all[name] = append(all[name], p.Statement...)
		}
	}
	if len(all) != 3 {
		t.Fatalf("the template has %d functions", len(all))
	}
	return all
}
