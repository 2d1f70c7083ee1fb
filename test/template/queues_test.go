package template_test

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// The defaults of CloudFormation for a queue.
const (
	defaultWait = 30.0      // in s, the visibility timeout
	defaultKept = 4 * 86400 // in s, how long a message is kept
)

// source is a queue that a function gets its work from.
type source struct {
	function   string
	functionIs map[string]any
	queue      string
	queueIs    map[string]any
	event      map[string]any
}

// sources returns all sources of a template: events of SAM's functions, or the mappings
// that SAM makes of them. A queue of another template has no name and no properties.
func sources(t tree) []source {
	var all []source
	add := func(function string, event any, queueKey string) {
		s := source{function: function, queue: arnOf(at(event, queueKey))}
		s.functionIs, _ = at(t["Resources"], function, "Properties").(map[string]any)
		s.queueIs, _ = at(t["Resources"], s.queue, "Properties").(map[string]any)
		s.event, _ = event.(map[string]any)
		if s.queue == "" || s.queueIs != nil { // references finds a name that does not exist
			all = append(all, s)
		}
	}
	for name, function := range t.resources(functionTypes...) {
		events, _ := function["Events"].(map[string]any)
		for _, event := range slices.Sorted(maps.Keys(events)) {
			if at(events[event], "Type") == "SQS" {
				add(name, at(events[event], "Properties"), "Queue")
			}
		}
	}
	for _, mapping := range t.resources(mappingType) {
		add(ref(mapping["FunctionName"]), mapping, "EventSourceArn")
	}
	return all
}

// consumers demands that exactly one function handles the messages of a queue.
func consumers(t tree, report report) {
	by := map[string]int{}
	for _, s := range sources(t) {
		by[s.queue]++
	}
	for _, queue := range t.resources(queueType) {
		by[arnOf(at(queue, "RedrivePolicy", "deadLetterTargetArn"))]++ // people handle dead letters
	}
	for queue := range t.resources(queueType) {
		if by[queue] != 1 {
			report(queue, "%d take what is in it", by[queue])
		}
	}
	resources, _ := t["Resources"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		walk(resources[name], func(m map[string]any) {
			if on := m["Enabled"]; on != nil && on != true {
				report(name, "something of it is switched off, or may be")
			}
			if state := m["State"]; state != nil && state != "ENABLED" {
				report(name, "something of it is %v", state)
			}
		})
	}
}

// visibility demands that a queue hides a message long enough. AWS asks for six times the
// timeout of the function, plus the time that Lambda may wait for a batch to fill:
// docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html.
func visibility(t tree, report report) {
	for _, s := range sources(t) {
		hidden, timeout := cmp.Or[any](s.queueIs["VisibilityTimeout"], defaultWait), t.of(s.functionIs, "Timeout")
		wait, takes := t.number(hidden), t.number(timeout)
		fills := t.number(cmp.Or[any](s.event["MaximumBatchingWindowInSeconds"], 0.0))
		if !(wait >= 6*takes+fills) {
			report(s.queue, "hides a message for %v s, %s may take %v s, and a batch %v s to fill", wait, s.function, takes, fills)
			continue
		}
		// Users set the two parameters independently, so the description of one must
		// mention the other.
		visible, limit := ref(hidden), ref(timeout)
		if limit == "" {
			continue
		}
		if visible == "" {
			report(s.queue, "hides a message for a fixed time, though %s sets what %s may take", limit, s.function)
			continue
		}
		said, _ := at(t["Parameters"], visible, "Description").(string)
		if !strings.Contains(said, "At least 6 times "+limit) {
			report(visible, "does not say that it is at least 6 times %s", limit)
		}
		for _, bound := range []string{"MinValue", "MaxValue"} {
			of, _ := at(t["Parameters"], visible, bound).(float64)
			than, given := at(t["Parameters"], limit, bound).(float64)
			if !given || of < 6*than+fills {
				report(visible, "%s %v is too little for 6 times that of %s", bound, of, limit)
			}
		}
	}
}

// redrive demands that a message that fails again and again leaves its queue, but not
// because of one bad minute. AWS asks for at least five receives where Lambda is the
// receiver.
func redrive(t tree, report report) {
	for _, s := range sources(t) {
		dead := arnOf(at(s.queueIs, "RedrivePolicy", "deadLetterTargetArn"))
		if dead == "" || dead == s.queue || at(t["Resources"], dead, "Type") != queueType {
			report(s.queue, "has no dead-letter queue")
		}
		if low, high := t.span(at(s.queueIs, "RedrivePolicy", "maxReceiveCount")); !(low >= 5 && high <= 1000) {
			report(s.queue, "maxReceiveCount is %v to %v, not 5 to 1000", low, high)
		}
		deadIs, _ := at(t["Resources"], dead, "Properties").(map[string]any)
		if allow := deadIs["RedriveAllowPolicy"]; allow != nil && at(allow, "redrivePermission") != "allowAll" {
			report(dead, "may refuse what is dead in %s", s.queue)
		}
	}
}

// deadLetters demands a longer retention of dead letters: a message in the dead-letter
// queue keeps the age that it had in its first queue.
func deadLetters(t tree, report report) {
	kept := func(queue map[string]any) float64 {
		return t.number(cmp.Or[any](queue["MessageRetentionPeriod"], float64(defaultKept)))
	}
	for name, queue := range t.resources(queueType) {
		dead := arnOf(at(queue, "RedrivePolicy", "deadLetterTargetArn"))
		is, _ := at(t["Resources"], dead, "Properties").(map[string]any)
		if dead != "" && dead != name && !(kept(is) > kept(queue)) {
			report(dead, "keeps messages for %v s, no longer than %s", kept(is), name)
		}
	}
}

func partialBatches(t tree, report report) {
	for _, s := range sources(t) {
		if !slices.Contains(texts(s.event["FunctionResponseTypes"]), "ReportBatchItemFailures") {
			report(s.function, "one message of %s that fails brings back the whole batch", s.queue)
		}
	}
}

// concurrency demands a limit for each function that handles a queue. So only a few
// senders call the sending API, and the API keeps some of the account's concurrency. The
// limit belongs to the event source. With a limit of the function alone, Lambda would
// take messages off the queue that it cannot run.
func concurrency(t tree, report report) {
	for _, s := range sources(t) {
		low, high := t.span(at(s.event, "ScalingConfig", "MaximumConcurrency"))
		if !(low >= 2 && high <= 1000) {
			report(s.function, "MaximumConcurrency of %s is %v to %v, not 2 to 1000", s.queue, low, high)
		}
		if reserved := s.functionIs["ReservedConcurrentExecutions"]; reserved != nil && !(t.number(reserved) >= high) {
			report(s.function, "%v may run, of %v that are begun", t.number(reserved), high)
		}
	}
}
