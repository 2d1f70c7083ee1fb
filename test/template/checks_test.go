package template_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A finding is what is wrong with a template.
type finding struct {
	Check string
	In    string // the name of the resource or parameter
	What  string
}

// report takes a finding of the check that is running.
type report func(in, what string, arguments ...any)

// checks are what no linter asks, each under the name of its findings.
var checks = map[string]func(tree, report){
	"visibility":       visibility,
	"redrive":          redrive,
	"dead-letters":     deadLetters,
	"partial-batches":  partialBatches,
	"concurrency":      concurrency,
	"references":       references,
	"unused":           unused,
	"wildcards":        wildcards,
	"routes":           routes,
	"keys":             keys,
	"encryption":       encryption,
	"tls":              tls,
	"log-retention":    logRetention,
	"recovery":         recovery,
	"retained":         retained,
	"architectures":    architectures,
	"secrets":          secrets,
	"throttled-stages": throttledStages,
}

// check runs all checks.
func check(template tree) []finding {
	var all []finding
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		checks[name](template, func(in, what string, arguments ...any) {
			all = append(all, finding{Check: name, In: in, What: fmt.Sprintf(what, arguments...)})
		})
	}
	return all
}

const (
	functionType = "AWS::Serverless::Function"
	queueType    = "AWS::SQS::Queue"
	tableType    = "AWS::DynamoDB::Table"
	defaultWait  = 30        // s, a queue's visibility timeout if it says none
	defaultKept  = 4 * 86400 // s, how long a queue keeps a message if it says nothing
)

// source is a queue that a function gets its work from.
type source struct {
	function  string
	timeout   any
	variables map[string]any
	queue     string
	queueIs   map[string]any
	event     map[string]any
}

// sources are all of a template; a queue of another one has no name and no properties.
func sources(t tree) []source {
	var all []source
	for name, function := range t.resources(functionType) {
		events, _ := function["Events"].(map[string]any)
		for _, event := range slices.Sorted(maps.Keys(events)) {
			if at(events[event], "Type") != "SQS" {
				continue
			}
			is, _ := at(events[event], "Properties").(map[string]any)
			queue := arnOf(is["Queue"])
			queueIs, _ := at(t["Resources"], queue, "Properties").(map[string]any)
			if queue != "" && queueIs == nil {
				continue // a name that leads nowhere is found by references
			}
			variables, _ := at(function, "Environment", "Variables").(map[string]any)
			all = append(all, source{
				function: name, timeout: t.of(function, "Timeout"), variables: variables,
				queue: queue, queueIs: queueIs, event: is,
			})
		}
	}
	return all
}

// visibility: Lambda wants a queue to hide a message for six times as long as its
// function may take: docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html.
func visibility(t tree, report report) {
	for _, s := range sources(t) {
		hidden := s.queueIs["VisibilityTimeout"]
		if hidden == nil {
			hidden = float64(defaultWait)
		}
		wait, known := t.number(hidden)
		takes, alsoKnown := t.number(s.timeout)
		if !known || !alsoKnown || wait < 6*takes {
			report(s.queue, "hides a message for %v s, %s may take %v s", wait, s.function, takes)
			continue
		}
		// What is set instead of the defaults must at least know of each other.
		visible, limit := ref(hidden), ref(s.timeout)
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
			if !given || of < 6*than {
				report(visible, "%s %v is less than 6 times that of %s", bound, of, limit)
			}
		}
	}
}

// redrive: what fails again and again leaves its queue, but not for one bad
// minute: AWS asks for five receives at least where Lambda is the receiver.
func redrive(t tree, report report) {
	for _, s := range sources(t) {
		dead := arnOf(at(s.queueIs, "RedrivePolicy", "deadLetterTargetArn"))
		if dead == "" || dead == s.queue || at(t["Resources"], dead, "Type") != queueType {
			report(s.queue, "has no dead-letter queue")
		}
		if n, ok := t.number(at(s.queueIs, "RedrivePolicy", "maxReceiveCount")); !ok || n < 5 || n > 1000 {
			report(s.queue, "maxReceiveCount is %v, not 5 to 1000", n)
		}
	}
}

// deadLetters: a redriven message keeps the age that it had in its first queue.
func deadLetters(t tree, report report) {
	kept := func(queue map[string]any) float64 {
		if n, ok := t.number(queue["MessageRetentionPeriod"]); ok {
			return n
		}
		return defaultKept
	}
	for name, queue := range t.resources(queueType) {
		dead := arnOf(at(queue, "RedrivePolicy", "deadLetterTargetArn"))
		is, _ := at(t["Resources"], dead, "Properties").(map[string]any)
		if dead != "" && dead != name && kept(is) <= kept(queue) {
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

// concurrency: whoever calls the sending API is limited where its work comes from.
func concurrency(t tree, report report) {
	for _, s := range sources(t) {
		if s.variables["PROVIDER_URL"] == nil {
			continue
		}
		if n, ok := t.number(at(s.event, "ScalingConfig", "MaximumConcurrency")); !ok || n < 2 || n > 1000 {
			report(s.function, "MaximumConcurrency of %s is %v, not 2 to 1000", s.queue, n)
		}
	}
}

// pseudo are the parameters that CloudFormation gives.
var pseudo = []string{
	"AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition",
	"AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix",
}

// attributes are those of the types that are in use; of another type all are taken.
var attributes = map[string][]string{
	functionType:           {"Arn"},
	queueType:              {"Arn", "QueueName", "QueueUrl"},
	tableType:              {"Arn", "StreamArn", "TableId"},
	"AWS::Serverless::Api": {"RootResourceId", "RestApiId"},
	"AWS::Logs::LogGroup":  {"Arn"},
	"AWS::SNS::Topic":      {"TopicArn", "TopicName"},
	"AWS::IAM::Role":       {"Arn", "RoleId"},
}

// variable is one of a !Sub; ${!Literal} is none.
var variable = regexp.MustCompile(`\$\{([^!}][^}]*)\}`)

// references: linters do not look into a SAM event or policy, cfn-lint 1.58 and
// sam 1.170 at least.
func references(t tree, report report) {
	for _, section := range []string{"Conditions", "Globals", "Resources", "Outputs"} {
		parts, _ := t[section].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(parts)) {
			resolve(t, name, parts[name], report)
		}
	}
}

// resolve looks at one resource, or whatever else has a name.
func resolve(t tree, in string, part any, report report) {
	for _, other := range texts(at(part, "DependsOn")) {
		if at(t["Resources"], other) == nil {
			report(in, "depends on %s, which is not there", other)
		}
	}
	if condition, ok := at(part, "Condition").(string); ok && at(t["Conditions"], condition) == nil {
		report(in, "the condition %s is not there", condition)
	}
	walk(part, func(m map[string]any) {
		if name, ok := m["Ref"].(string); ok && len(m) == 1 {
			named(t, in, name, report)
		}
		if got := m["Fn::GetAtt"]; got != nil {
			attributed(t, in, strings.Join(texts(got), "."), report)
		}
		if branches := list(m["Fn::If"]); len(branches) > 0 {
			if condition, _ := branches[0].(string); at(t["Conditions"], condition) == nil {
				report(in, "the condition %s is not there", condition)
			}
		}
		substituted(t, in, list(m["Fn::Sub"]), report)
	})
}

func substituted(t tree, in string, sub []any, report report) {
	if len(sub) == 0 {
		return
	}
	text, _ := sub[0].(string)
	var own any
	if len(sub) > 1 {
		own = sub[1]
	}
	for _, match := range variable.FindAllStringSubmatch(text, -1) {
		switch name := match[1]; {
		case at(own, name) != nil:
		case strings.Contains(name, "."):
			attributed(t, in, name, report)
		default:
			named(t, in, name, report)
		}
	}
}

func named(t tree, in, name string, report report) {
	if !slices.Contains(pseudo, name) && at(t["Parameters"], name) == nil && at(t["Resources"], name) == nil && !isRule(t, name) {
		report(in, "%s is neither a parameter nor a resource", name)
	}
}

// isRule tells whether SAM makes a rule of this name: it makes one of each schedule
// of a function, and calls it by the names of both.
func isRule(t tree, name string) bool {
	all, _ := t["Resources"].(map[string]any)
	for function, is := range all {
		event, ok := strings.CutPrefix(name, function)
		if ok && at(is, "Properties", "Events", event, "Type") == "Schedule" {
			return true
		}
	}
	return false
}

func attributed(t tree, in, what string, report report) {
	name, attribute, _ := strings.Cut(what, ".")
	resource := at(t["Resources"], name)
	kind, _ := at(resource, "Type").(string)
	known, listed := attributes[kind]
	switch {
	case resource == nil:
		report(in, "%s is no resource", name)
	case attribute == "" || listed && !slices.Contains(known, attribute):
		report(in, "%s, a %s, has no attribute %q", name, kind, attribute)
	}
}

// unused: a parameter that nothing reads is a setting without effect.
func unused(t tree, report report) {
	used := map[string]bool{}
	for _, section := range []string{"Conditions", "Globals", "Resources", "Outputs"} {
		walk(t[section], func(m map[string]any) {
			used[ref(m)] = true
			for _, text := range texts(m["Fn::Sub"]) {
				for _, match := range variable.FindAllStringSubmatch(text, -1) {
					used[match[1]] = true
				}
			}
		})
	}
	parameters, _ := t["Parameters"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if !used[name] {
			report(name, "nothing reads it")
		}
	}
}

// statements are those of a resource's policies, of whatever kind they are.
func statements(resource any) []map[string]any {
	var all []map[string]any
	walk(resource, func(m map[string]any) {
		if m["Effect"] != nil {
			all = append(all, m)
		}
	})
	return all
}

// wildcards: what is allowed is named. What is denied may be everything.
func wildcards(t tree, report report) {
	resources, _ := t["Resources"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		for _, policy := range list(at(resources[name], "Properties", "Policies")) {
			if at(policy, "Statement") == nil && at(policy, "PolicyDocument") == nil {
				report(name, "what the policy %v allows is not to be seen", policy)
			}
		}
		for _, s := range statements(resources[name]) {
			if s["Effect"] == "Deny" {
				continue
			}
			for _, key := range []string{"NotAction", "NotResource", "NotPrincipal"} {
				if s[key] != nil {
					report(name, "%s allows all but something", key)
				}
			}
			for _, key := range []string{"Action", "Resource", "Principal"} {
				for _, text := range append(texts(s[key]), deep(s[key])...) {
					if strings.ContainsAny(text, "*?") {
						report(name, "%s %s allows more than it names", key, text)
					}
				}
			}
		}
	}
}

// deep are the strings in the functions and mappings of a value.
func deep(value any) []string {
	var all []string
	walk(value, func(m map[string]any) {
		for _, one := range m {
			all = append(all, texts(one)...)
		}
	})
	return all
}

// apiFunction is built from functions/api, which asks every caller for a key.
const apiFunction = "ApiFunction"

// routes: callers are authenticated by the api function, which is the one that
// knows the keys. So nothing else may be reached from outside.
func routes(t tree, report report) {
	resources, _ := t["Resources"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		properties, _ := at(resources[name], "Properties").(map[string]any)
		if at(resources[name], "Type") == functionType && t.of(properties, "FunctionUrlConfig") != nil {
			report(name, "has an address of its own")
		}
		events, _ := properties["Events"].(map[string]any)
		for _, event := range slices.Sorted(maps.Keys(events)) {
			kind := at(events[event], "Type")
			if name != apiFunction && (kind == "Api" || kind == "HttpApi") {
				report(name, "%s leads to it, and it asks nobody for a key", event)
			}
		}
		kind, _ := at(resources[name], "Type").(string)
		open := strings.HasPrefix(kind, "AWS::ApiGateway::") || strings.HasPrefix(kind, "AWS::ApiGatewayV2::") ||
			kind == "AWS::Lambda::Url" || kind == "AWS::Serverless::HttpApi"
		if open || properties["DefinitionBody"] != nil || properties["DefinitionUri"] != nil {
			report(name, "may lead past the events of %s", apiFunction)
		}
	}
}

// keys: the api function is told where the keys are, and may read them there.
func keys(t tree, report report) {
	function, _ := at(t["Resources"], apiFunction, "Properties").(map[string]any)
	parameter := ref(t.of(function, "Environment", "Variables", "KEYS_PARAMETER"))
	if parameter == "" {
		report(apiFunction, "its KEYS_PARAMETER is no parameter of the template")
		return
	}
	if !slices.ContainsFunc(statements(function["Policies"]), func(s map[string]any) bool { return readsParameter(s, parameter) }) {
		report(apiFunction, "may not read what %s names", parameter)
	}
}

func readsParameter(s map[string]any, parameter string) bool {
	return s["Effect"] == "Allow" && slices.Contains(texts(s["Action"]), "ssm:GetParameter") &&
		slices.ContainsFunc(deep(s["Resource"]), func(arn string) bool {
			return strings.Contains(arn, ":ssm:") && strings.HasSuffix(arn, ":parameter${"+parameter+"}")
		})
}

func encryption(t tree, report report) {
	for name, table := range t.resources(tableType) {
		if at(table, "SSESpecification", "SSEEnabled") != true {
			report(name, "is not encrypted under a key of this account")
		}
	}
	for name, queue := range t.resources(queueType) {
		if queue["SqsManagedSseEnabled"] != true && queue["KmsMasterKeyId"] == nil {
			report(name, "is not encrypted")
		}
	}
}

// tls: DynamoDB speaks nothing else; SQS does.
func tls(t tree, report report) {
	for queue := range t.resources(queueType) {
		policies, denied := 0, false
		for _, policy := range t.resources("AWS::SQS::QueuePolicy") {
			if !slices.ContainsFunc(list(policy["Queues"]), func(q any) bool { return ref(q) == queue }) {
				continue
			}
			policies++
			denied = slices.ContainsFunc(statements(policy), func(s map[string]any) bool { return deniesPlain(s, queue) })
		}
		if !denied {
			report(queue, "can be spoken to without TLS")
		}
		if policies > 1 {
			report(queue, "has %d policies, of which one holds", policies)
		}
	}
}

func deniesPlain(s map[string]any, queue string) bool {
	secure := at(s, "Condition", "Bool", "aws:SecureTransport")
	return s["Effect"] == "Deny" && s["Principal"] == "*" && slices.Contains(texts(s["Action"]), "sqs:*") &&
		slices.ContainsFunc(list(s["Resource"]), func(r any) bool { return arnOf(r) == queue }) &&
		(secure == "false" || secure == false)
}

// logRetention: a group that nobody made is made by Lambda, and kept forever.
func logRetention(t tree, report report) {
	for name, function := range t.resources(functionType) {
		group := ref(t.of(function, "LoggingConfig", "LogGroup"))
		if at(t["Resources"], group, "Type") != "AWS::Logs::LogGroup" {
			report(name, "logs into no group of this template")
		}
	}
	for name, group := range t.resources("AWS::Logs::LogGroup") {
		if days := ref(group["RetentionInDays"]); days == "" || at(t["Parameters"], days) == nil {
			report(name, "how long it keeps lines is not set by a parameter")
		}
	}
}

func recovery(t tree, report report) {
	for name, table := range t.resources(tableType) {
		if at(table, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") != true {
			report(name, "cannot be brought back to what it was a minute ago")
		}
	}
}

// retained: tables hold what nothing else does, and so do the queues of what is
// dead. What is in the other queues is made again from the tables. A deployment that
// makes one and fails takes it back: it is empty, and would be in the next one's way.
func retained(t tree, report report) {
	hold := map[string]bool{}
	for table := range t.resources(tableType) {
		hold[table] = true
	}
	for _, queue := range t.resources(queueType) {
		if dead := arnOf(at(queue, "RedrivePolicy", "deadLetterTargetArn")); dead != "" {
			hold[dead] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(hold)) {
		for policy, want := range map[string]string{"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"} {
			if at(t["Resources"], name, policy) != want {
				report(name, "%s is not %s", policy, want)
			}
		}
	}
}

func architectures(t tree, report report) {
	for name, function := range t.resources(functionType) {
		var of []string
		for _, one := range list(t.of(function, "Architectures")) {
			of = append(of, ref(one))
		}
		if len(of) != 1 || of[0] == "" {
			report(name, "its processor is not set by a parameter")
			continue
		}
		allowed := texts(at(t["Parameters"], of[0], "AllowedValues"))
		slices.Sort(allowed)
		if !slices.Equal(allowed, []string{"arm64", "x86_64"}) {
			report(of[0], "allows %v, not arm64 and x86_64", allowed)
		}
	}
}

var secret = regexp.MustCompile(`(Token|Secret|Password)$`)

// secrets: a parameter that is one is shown nowhere, and has no default.
func secrets(t tree, report report) {
	parameters, _ := t["Parameters"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if secret.MatchString(name) && (at(parameters[name], "NoEcho") != true || at(parameters[name], "Default") != nil) {
			report(name, "is shown by CloudFormation, or has a default")
		}
	}
}

// throttledStages: guessing keys, like anything else, has a limit.
func throttledStages(t tree, report report) {
	for name, api := range t.resources("AWS::Serverless::Api") {
		all := slices.ContainsFunc(list(api["MethodSettings"]), func(s any) bool {
			return at(s, "ResourcePath") == "/*" && at(s, "HttpMethod") == "*" &&
				at(s, "ThrottlingRateLimit") != nil && at(s, "ThrottlingBurstLimit") != nil
		})
		if !all {
			report(name, "takes whatever comes")
		}
	}
}
