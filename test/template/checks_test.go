package template_test

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// finding is a mistake in a template.
type finding struct {
	Check string
	In    string // the name of the resource or parameter
	What  string
}

// report records a finding of the check that is running.
type report func(in, what string, arguments ...any)

// checks are the rules that no linter checks. The key is the name in their findings.
var checks = map[string]func(tree, report){
	"types":            types,
	"conditional":      conditional,
	"consumers":        consumers,
	"visibility":       visibility,
	"redrive":          redrive,
	"dead-letters":     deadLetters,
	"partial-batches":  partialBatches,
	"concurrency":      concurrency,
	"recursion":        recursion,
	"stale-events":     staleEvents,
	"token":            token,
	"references":       references,
	"forms":            forms,
	"unused":           unused,
	"roles":            roles,
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
	queueType   = "AWS::SQS::Queue"
	tableType   = "AWS::DynamoDB::Table"
	topicType   = "AWS::SNS::Topic"
	groupType   = "AWS::Logs::LogGroup"
	roleType    = "AWS::IAM::Role"
	mappingType = "AWS::Lambda::EventSourceMapping"
)

// The types that the checks handle: types in the template, and types that SAM makes of
// its own types.
var (
	byHand = []string{
		functionTypes[0], apiTypes[0], queueType, "AWS::SQS::QueuePolicy", tableType, topicType, "AWS::SNS::Subscription", groupType, roleType,
	}
	bySAM = []string{
		functionTypes[1], apiTypes[1], "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Deployment", mappingType, permissionType, "AWS::Events::Rule", invokeType,
	}
)

// types finds resources of other types. No check covers whether such a resource is
// encrypted, outlives the stack, can be reached from outside, or grants anything to
// anyone.
func types(t tree, report report) {
	known := byHand
	if t["Transform"] == nil {
		known = slices.Concat(byHand, bySAM)
	}
	resources, _ := t["Resources"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		if kind, _ := at(resources[name], "Type").(string); !slices.Contains(known, kind) {
			report(name, "no check knows what a %s has to be like", kind)
		}
		if at(resources[name], "Connectors") != nil {
			report(name, "what its connectors allow is not to be seen")
		}
	}
}

// conditional makes the other checks valid for every deployment: it finds resources that
// exist in some deployments only, or differ between them. Three are allowed: the
// subscription to reports, the API's answers to browsers, and the sender's permission to
// read its token, which the check token covers.
func conditional(t tree, report report) {
	resources, _ := t["Resources"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		switch at(resources[name], "Type") {
		case "AWS::SNS::Subscription", apiTypes[0], "AWS::ApiGateway::RestApi":
			continue
		}
		if at(resources[name], "Condition") != nil {
			report(name, "is there in some deployments only")
		}
		walk(resources[name], func(m map[string]any) {
			if m["Fn::If"] != nil && conditionalGrant(m) == nil {
				report(name, "differs between deployments: %v", m)
			}
		})
	}
}

// pseudo are the parameters that CloudFormation defines.
var pseudo = []string{
	"AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition",
	"AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix",
}

// attributes are the attributes of the types in use. For any other type every attribute
// is accepted.
var attributes = map[string][]string{
	functionTypes[0]: {"Arn"},
	queueType:        {"Arn", "QueueName", "QueueUrl"},
	tableType:        {"Arn", "StreamArn", "TableId"},
	apiTypes[0]:      {"RootResourceId", "RestApiId"},
	groupType:        {"Arn"},
	topicType:        {"TopicArn", "TopicName"},
	roleType:         {"Arn", "RoleId"},
}

// variable matches a variable of a !Sub; ${!Literal} is not one.
var variable = regexp.MustCompile(`\$\{([^!}][^}]*)\}`)

// references finds references to things that do not exist. Linters do not look into a SAM
// event or policy, at least cfn-lint 1.58 and sam 1.170.
func references(t tree, report report) {
	for _, section := range []string{"Conditions", "Globals", "Resources", "Outputs"} {
		parts, _ := t[section].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(parts)) {
			resolve(t, name, parts[name], report)
		}
	}
}

// resolve checks the references in one named part of the template, such as a resource.
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
		if find := list(m["Fn::FindInMap"]); len(find) > 0 {
			if mapping, ok := find[0].(string); ok && at(t["Mappings"], mapping) == nil {
				report(in, "the mapping %s is not there", mapping)
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

// isRule reports whether SAM makes a rule of this name. It makes one rule of each
// schedule of a function, and its name is the names of both.
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

// forms finds other text in place of an ARN: a name and an address are texts, too.
func forms(t tree, report report) {
	resources, _ := t["Resources"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		for _, s := range statements(resources[name]) {
			for _, resource := range list(s["Resource"]) {
				if form := t.form(resource); form != "" && form != "ARN" {
					report(name, "%v is a %s, and no ARN", resource, form)
				}
			}
		}
		// A variable's name ends with the form of its value: TASKS_QUEUE_URL,
		// REPORT_TOPIC_ARN.
		variables, _ := at(resources[name], "Properties", "Environment", "Variables").(map[string]any)
		for _, variable := range slices.Sorted(maps.Keys(variables)) {
			if form := t.form(variables[variable]); form != "" && !strings.HasSuffix(variable, "_"+form) {
				report(name, "%s is a %s: %v", variable, form, variables[variable])
			}
		}
	}
}

// unused finds parameters that nothing reads: they are settings without effect.
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
	for name, topic := range t.resources(topicType) {
		if topic["KmsMasterKeyId"] == nil {
			report(name, "is not encrypted")
		}
	}
}

// tls finds queues that can be called without TLS. DynamoDB accepts only TLS; SQS accepts
// both.
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
	return s["Effect"] == "Deny" && s["Principal"] == "*" && slices.Contains(texts(s["Action"]), "sqs:*") &&
		slices.ContainsFunc(list(s["Resource"]), func(r any) bool { return arnOf(r) == queue }) &&
		reflect.DeepEqual(s["Condition"], map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}})
}

// logRetention demands a log group for each function. Otherwise Lambda makes the group,
// and keeps its lines for ever.
func logRetention(t tree, report report) {
	taken := map[string]bool{}
	for name, function := range t.resources(functionTypes...) {
		group := ref(t.of(function, "LoggingConfig", "LogGroup"))
		if at(t["Resources"], group, "Type") != groupType || taken[group] {
			report(name, "logs into no group of its own in this template")
		}
		taken[group] = true
	}
	for name, group := range t.resources(groupType) {
		if days := ref(group["RetentionInDays"]); days == "" || at(t["Parameters"], days) == nil {
			report(name, "how long it keeps lines is not set by a parameter")
		}
	}
}

func recovery(t tree, report report) {
	for name, table := range t.resources(tableType) {
		// Nothing else is set: the default is 35 days.
		if !reflect.DeepEqual(table["PointInTimeRecoverySpecification"], map[string]any{"PointInTimeRecoveryEnabled": true}) {
			report(name, "cannot be brought back to what it was in the last 35 days")
		}
	}
}

// retained demands that tables and dead-letter queues are kept when the stack is deleted:
// nothing else holds their data. The messages of other queues are made again from the
// tables. After a failed deployment that created a table or queue, it is removed: it is
// empty, and would block the next deployment.
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
	for name, function := range t.resources(functionTypes...) {
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

// secrets demands that the value of a secret parameter is shown nowhere, also not in an
// output, and that its default is empty.
func secrets(t tree, report report) {
	parameters, _ := t["Parameters"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if secret.MatchString(name) && (at(parameters[name], "NoEcho") != true || len(strings.Join(texts(at(parameters[name], "Default")), "")) > 0) {
			report(name, "is shown by CloudFormation, or has a default")
		}
		if secret.MatchString(name) && strings.Contains(strings.Join(deep(t["Outputs"]), " "), name) {
			report(name, "is among the outputs")
		}
	}
}

// throttledStages demands a limit on the rate of requests, which also limits guessing
// keys.
func throttledStages(t tree, report report) {
	for name, api := range t.resources(apiTypes...) {
		all := slices.ContainsFunc(list(api["MethodSettings"]), func(s any) bool {
			return at(s, "ResourcePath") == "/*" && at(s, "HttpMethod") == "*" &&
				at(s, "ThrottlingRateLimit") != nil && at(s, "ThrottlingBurstLimit") != nil
		})
		if !all {
			report(name, "takes whatever comes")
		}
	}
}
