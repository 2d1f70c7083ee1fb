package template_test

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"postrider/internal/cfn"
)

// The defaults of CloudFormation for a queue, in seconds.
const (
	defaultVisibility = 30.0
	defaultRetention  = 4 * 86400.0
)

// source is a queue whose messages a function handles.
type source struct {
	function   string
	functionIs map[string]any
	queue      string
	queueIs    map[string]any
	event      any
}

// sources returns all sources of a template: events of SAM's functions, or the mappings
// that SAM makes of them. A queue of another template has no name and no properties.
func sources(t cfn.Template) []source {
	var all []source
	add := func(function string, event any, queueKey string) {
		s := source{function: function, queue: arnOf(cfn.At(event, queueKey)), event: event}
		s.functionIs, _ = cfn.At(t["Resources"], function, "Properties").(map[string]any)
		s.queueIs, _ = cfn.At(t["Resources"], s.queue, "Properties").(map[string]any)
		if s.queue == "" || s.queueIs != nil { // references finds a name that does not exist
			all = append(all, s)
		}
	}
	for name, function := range t.Resources(functionTypes...) {
		for _, event := range cfn.Each(function["Events"]) {
			if cfn.At(event, "Type") == "SQS" {
				add(name, cfn.At(event, "Properties"), "Queue")
			}
		}
	}
	for _, mapping := range t.Resources(mappingType) {
		add(cfn.Ref(mapping["FunctionName"]), mapping, "EventSourceArn")
	}
	return all
}

// consumers demands that exactly one function handles the messages of a queue, and that
// nothing is disabled.
func consumers(t cfn.Template, report report) {
	by := map[string]int{}
	for _, s := range sources(t) {
		by[s.queue]++
	}
	for _, queue := range t.Resources(queueType) {
		by[arnOf(cfn.At(queue, "RedrivePolicy", "deadLetterTargetArn"))]++ // people handle dead letters
	}
	for queue := range t.Resources(queueType) {
		if by[queue] != 1 {
			report(queue, "has %d consumers", by[queue])
		}
	}
	for name, resource := range cfn.Each(t["Resources"]) {
		cfn.Walk(resource, func(m map[string]any) {
			if on := m["Enabled"]; on != nil && on != true {
				report(name, "a part of it is disabled, or may be")
			}
			if state := m["State"]; state != nil && state != "ENABLED" {
				report(name, "a part of it is %v", state)
			}
		})
	}
}

// visibilityTimeout demands that a queue hides a message long enough. AWS asks for six
// times the timeout of the function, plus the time that Lambda may wait for a batch to
// fill: docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html.
func visibilityTimeout(t cfn.Template, report report) {
	for _, s := range sources(t) {
		hidden := cmp.Or[any](s.queueIs["VisibilityTimeout"], defaultVisibility)
		timeout := property(t, s.functionIs, "Timeout")
		wait, takes := number(t, hidden), number(t, timeout)
		fills := number(t, cmp.Or[any](cfn.At(s.event, "MaximumBatchingWindowInSeconds"), 0.0))
		if !(wait >= 6*takes+fills) {
			report(s.queue, "hides a message for %v s; %s may take %v s, and a batch %v s to fill",
				wait, s.function, takes, fills)
			continue
		}
		// Users set the two parameters independently, so the description of one must
		// mention the other.
		visible, limit := cfn.Ref(hidden), cfn.Ref(timeout)
		if limit == "" {
			continue
		}
		if visible == "" {
			report(s.queue, "hides a message for a fixed time, while %s sets the timeout of %s", limit, s.function)
			continue
		}
		if !strings.Contains(cfn.Text(cfn.At(t["Parameters"], visible, "Description")), "At least 6 times "+limit) {
			report(visible, "its description does not say that it is at least 6 times %s", limit)
		}
		least, most := span(t, hidden)
		leastTakes, mostTakes := span(t, timeout)
		if !(least >= 6*leastTakes+fills && most >= 6*mostTakes+fills) {
			report(visible, "its bounds, %v and %v, are less than 6 times those of %s", least, most, limit)
		}
	}
}

// redrive demands that a message that fails again and again leaves its queue, but not
// because of one bad minute. AWS asks for at least five receives if Lambda is the
// receiver.
func redrive(t cfn.Template, report report) {
	for _, s := range sources(t) {
		dead := arnOf(cfn.At(s.queueIs, "RedrivePolicy", "deadLetterTargetArn"))
		if dead == "" || dead == s.queue || cfn.At(t["Resources"], dead, "Type") != queueType {
			report(s.queue, "has no dead-letter queue")
		}
		if low, high := span(t, cfn.At(s.queueIs, "RedrivePolicy", "maxReceiveCount")); !(low >= 5 && high <= 1000) {
			report(s.queue, "maxReceiveCount is %v to %v, not 5 to 1000", low, high)
		}
		allow := cfn.At(t["Resources"], dead, "Properties", "RedriveAllowPolicy")
		if allow != nil && cfn.At(allow, "redrivePermission") != "allowAll" {
			report(dead, "may refuse the dead letters of %s", s.queue)
		}
	}
}

// deadLetterRetention demands a longer retention of dead letters: a message in the
// dead-letter queue keeps the age that it had in its first queue.
func deadLetterRetention(t cfn.Template, report report) {
	kept := func(queue any) float64 {
		return number(t, cmp.Or[any](cfn.At(queue, "MessageRetentionPeriod"), defaultRetention))
	}
	for name, queue := range t.Resources(queueType) {
		dead := arnOf(cfn.At(queue, "RedrivePolicy", "deadLetterTargetArn"))
		is := cfn.At(t["Resources"], dead, "Properties")
		if dead != "" && dead != name && !(kept(is) > kept(queue)) {
			report(dead, "keeps messages for %v s, no longer than %s", kept(is), name)
		}
	}
}

// partialBatches demands that only the failed messages of a batch return to the queue.
func partialBatches(t cfn.Template, report report) {
	for _, s := range sources(t) {
		if !slices.Contains(cfn.Texts(cfn.At(s.event, "FunctionResponseTypes")), "ReportBatchItemFailures") {
			report(s.function, "one message of %s that fails returns the whole batch", s.queue)
		}
	}
}

// concurrency demands a limit for each function that handles a queue. So only a few
// senders call the sending API, and the API keeps some of the account's concurrency. The
// limit belongs to the event source. With a limit of the function alone, Lambda would
// take messages off the queue that it cannot run.
func concurrency(t cfn.Template, report report) {
	for _, s := range sources(t) {
		low, high := span(t, cfn.At(s.event, "ScalingConfig", "MaximumConcurrency"))
		if !(low >= 2 && high <= 1000) {
			report(s.function, "MaximumConcurrency of %s is %v to %v, not 2 to 1000", s.queue, low, high)
		}
		if reserved := s.functionIs["ReservedConcurrentExecutions"]; reserved != nil && !(number(t, reserved) >= high) {
			report(s.function, "%v may run, and Lambda takes messages for %v", number(t, reserved), high)
		}
	}
}

// recursiveLoop demands RecursiveLoop: Allow for functions that queue work for themselves,
// and only for them. Without it Lambda stops such a function after some 16 rounds:
// docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html. In any other function a
// loop is a mistake, and Lambda should stop it.
func recursiveLoop(t cfn.Template, report report) {
	loops := map[string]bool{}
	for _, s := range sources(t) {
		for _, statement := range cfn.Statements(policiesOf(t, s.functionIs)) {
			if slices.Contains(allowed(statement), "sqs:SendMessage "+s.queue) {
				loops[s.function] = true
			}
		}
	}
	for name, function := range t.Resources(functionTypes...) {
		switch allows := property(t, function, "RecursiveLoop") == "Allow"; {
		case loops[name] && !allows:
			report(name, "queues work for itself, and Lambda stops that as a loop")
		case !loops[name] && allows:
			report(name, "queues no work for itself, and Lambda would not stop a loop")
		}
	}
}

// staleEvents demands that events of a rule are not kept for hours, and are not repeated
// beside the next event of the rule. The rule fires each minute, so the next event
// replaces an older or failed one. Lambda accepts no age below 60 seconds.
func staleEvents(t cfn.Template, report report) {
	configured, byRule := map[string]any{}, map[string]bool{}
	for name, function := range t.Resources(functionTypes...) {
		configured[name] = property(t, function, "EventInvokeConfig")
		for _, event := range cfn.Each(function["Events"]) {
			byRule[name] = byRule[name] || cfn.At(event, "Type") == "Schedule"
		}
	}
	// SAM makes a permission of an event, and a resource of the configuration.
	for _, permission := range t.Resources(permissionType) {
		if permission["Principal"] == "events.amazonaws.com" {
			byRule[cfn.Ref(permission["FunctionName"])] = true
		}
	}
	for _, is := range t.Resources(invokeType) {
		if is["Qualifier"] == "$LATEST" {
			configured[cfn.Ref(is["FunctionName"])] = is
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byRule)) {
		age := number(t, cfn.At(configured[name], "MaximumEventAgeInSeconds"))
		attempts := number(t, cfn.At(configured[name], "MaximumRetryAttempts"))
		if byRule[name] && (age != 60 || attempts != 0) {
			report(name, "an event of its rule is kept for %v s, not 60, and repeated %v times, not 0", age, attempts)
		}
	}
}
