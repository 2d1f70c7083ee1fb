package main

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"
)

func change(action types.ChangeAction, replacement types.Replacement, id, kind string) types.Change {
	return types.Change{Type: types.ChangeTypeResource, ResourceChange: &types.ResourceChange{
		Action: action, Replacement: replacement, LogicalResourceId: aws.String(id), ResourceType: aws.String(kind), PhysicalResourceId: aws.String("x-" + id),
	}}
}

func TestWhatReplacesOrRemovesATableOrAQueueIsALoss(t *testing.T) {
	const (
		table    = "AWS::DynamoDB::Table"
		queue    = "AWS::SQS::Queue"
		function = "AWS::Lambda::Function"
	)
	tests := []struct {
		name   string
		change types.Change
		want   plan
	}{
		{"a new table", change(types.ChangeActionAdd, "", "T", table), plan{Lines: []string{"create T (" + table + ")"}}},
		{"an imported table", change(types.ChangeActionImport, "", "T", table), plan{Lines: []string{"import T (" + table + ")"}}},
		{"a changed table", change(types.ChangeActionModify, types.ReplacementFalse, "T", table), plan{Lines: []string{"change T (" + table + ")"}}},
		{"a replaced table", change(types.ChangeActionModify, types.ReplacementTrue, "T", table), plan{
			Lines: []string{"replace T (" + table + ")"}, Losses: []string{"replace T (" + table + "), now x-T"},
		}},
		{"a table that may be replaced", change(types.ChangeActionModify, types.ReplacementConditional, "T", table), plan{
			Lines:  []string{"change, and maybe replace, T (" + table + ")"},
			Losses: []string{"change, and maybe replace, T (" + table + "), now x-T"},
		}},
		{"a removed queue", change(types.ChangeActionRemove, "", "Q", queue), plan{
			Lines: []string{"remove Q (" + queue + ")"}, Losses: []string{"remove Q (" + queue + "), now x-Q"},
		}},
		{"a queue of which nothing is known", change(types.ChangeActionDynamic, "", "Q", queue), plan{
			Lines:  []string{"change in a way that is not known yet Q (" + queue + ")"},
			Losses: []string{"change in a way that is not known yet Q (" + queue + "), now x-Q"},
		}},
		{"a replaced function", change(types.ChangeActionModify, types.ReplacementTrue, "F", function), plan{Lines: []string{"replace F (" + function + ")"}}},
		{"a removed function", change(types.ChangeActionRemove, "", "F", function), plan{Lines: []string{"remove F (" + function + ")"}}},
		{"no resource", types.Change{}, plan{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, planOf([]types.Change{test.change})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestALossNeedsAPersonsWordOrCONFIRM(t *testing.T) {
	losing := plan{Losses: []string{"remove Q (AWS::SQS::Queue), now x-Q"}}
	tests := []struct {
		name     string
		plan     plan
		terminal bool
		typed    string
		confirm  string
		allowed  bool
	}{
		{"nothing is lost", plan{Lines: []string{"change F"}}, false, "", "", true},
		{"without a terminal", losing, false, "", "", false},
		{"without a terminal, whatever comes in", losing, false, "postrider\n", "", false},
		{"CONFIRM=1", losing, false, "", "1", true},
		{"CONFIRM=0", losing, false, "", "0", false},
		{"the stack's name is typed", losing, true, "postrider\n", "", true},
		{"something else is typed", losing, true, "y\n", "", false},
		{"the input ends", losing, true, "", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var said strings.Builder
			err := agree(t.Context(), test.plan, "postrider", asker{in: strings.NewReader(test.typed), out: &said, terminal: test.terminal, confirm: test.confirm})
			if (err == nil) != test.allowed {
				t.Errorf("agree = %v, want it allowed: %t", err, test.allowed)
			}
			for _, loss := range test.plan.Losses {
				if !strings.Contains(said.String(), loss) {
					t.Errorf("it does not say %q: %s", loss, said.String())
				}
			}
		})
	}
}

func TestAnEnvironmentsNameIsChecked(t *testing.T) {
	t.Chdir("../..")
	t.Setenv("AWS_ENDPOINT_URL", "")
	for _, name := range []string{"", "../staging", "nowhere", "default", "local"} {
		if err := run(t.Context(), name, asker{out: io.Discard}); err == nil || !strings.Contains(err.Error(), "ENV") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestEachEnvironmentHasAStackOfItsOwnAndParameters(t *testing.T) {
	t.Chdir("../..")
	stacks := map[string]bool{}
	for _, name := range []string{"local", "staging", "production"} {
		e, err := find(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(e.parameters)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := find("prod"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("an unknown environment: %v does not name %s", err, name)
		}
		if name != "local" && strings.Contains(string(text), "\nProviderToken:") {
			t.Errorf("%s holds a secret", e.parameters)
		}
		stacks[e.stack] = true
	}
	if len(stacks) != 3 {
		t.Errorf("environments share a stack: %v", stacks)
	}
}
