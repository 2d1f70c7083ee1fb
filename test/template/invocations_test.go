package template_test

import (
	"maps"
	"slices"
)

const invokeType = "AWS::Lambda::EventInvokeConfig"

// recursion: Lambda stops a function that wakes itself by a queue after some 16
// rounds, unless the function is said to do so by design:
// docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html. Of all others a loop
// is a mistake, which Lambda stops.
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

// The rule comes each minute: what is older than that, or has failed, is overtaken.
const mostAge = 60.0 // s, and the least that Lambda takes

// staleEvents: what a rule asks for is not kept for hours, and not repeated beside what
// the rule asks for next.
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

// byRules are the functions that a rule invokes: by an event, or by the permission that
// SAM makes of it.
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
