package template_test

import (
	"maps"
	"slices"
)

const invokeType = "AWS::Lambda::EventInvokeConfig"

// recursion demands RecursiveLoop: Allow for functions that queue work for themselves,
// and only for them. Without it Lambda stops such a function after some 16 rounds:
// docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html. In any other function a
// loop is a mistake, and Lambda should stop it.
func recursion(t tree, report report) {
	loops := map[string]bool{}
	for _, s := range sources(t) {
		role := at(t["Resources"], arnOf(s.functionIs["Role"]), "Properties", "Policies")
		for _, statement := range statements(role) {
			if slices.Contains(allowed([]any{statement}), "sqs:SendMessage "+s.queue) {
				loops[s.function] = true
			}
		}
	}
	for name, function := range t.resources(functionTypes...) {
		switch allows := t.of(function, "RecursiveLoop") == "Allow"; {
		case loops[name] && !allows:
			report(name, "queues work for itself, and Lambda stops that as a loop")
		case !loops[name] && allows:
			report(name, "may call itself without end, and needs not")
		}
	}
}

// mostAge is the longest time for which an event of a rule is kept. The rule fires each
// minute, so an older or failed event is replaced by the next one.
const mostAge = 60.0 // in s, and the least that Lambda accepts

// staleEvents demands that events of a rule are not kept for hours, and are not retried
// beside the next event of the rule.
func staleEvents(t tree, report report) {
	configured := map[string]any{}
	for name, function := range t.resources(functionTypes...) {
		configured[name] = t.of(function, "EventInvokeConfig")
	}
	for _, is := range t.resources(invokeType) {
		if is["Qualifier"] == "$LATEST" {
			configured[ref(is["FunctionName"])] = is
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byRules(t))) {
		is := configured[name]
		if age := t.number(at(is, "MaximumEventAgeInSeconds")); age != mostAge {
			report(name, "an event of its rule may be %v s old, not %v", age, mostAge)
		}
		if attempts := t.number(at(is, "MaximumRetryAttempts")); attempts != 0 {
			report(name, "an event of its rule that failed is repeated %v times", attempts)
		}
	}
}

// byRules returns the functions that a rule invokes, either by an event or by the
// permission that SAM makes of it.
func byRules(t tree) map[string]bool {
	invoked := map[string]bool{}
	for name, function := range t.resources(functionTypes...) {
		walk(function["Events"], func(event map[string]any) {
			if event["Type"] == "Schedule" {
				invoked[name] = true
			}
		})
	}
	for _, permission := range t.resources(permissionType) {
		if permission["Principal"] == "events.amazonaws.com" {
			invoked[ref(permission["FunctionName"])] = true
		}
	}
	return invoked
}
