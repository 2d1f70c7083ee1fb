package template_test

import (
	"fmt"
	"maps"
	"reflect"
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

// The types that the checks know how to look at: what is written by hand, and what
// SAM makes of its own types.
var (
	byHand = []string{
		functionTypes[0], apiTypes[0], queueType, "AWS::SQS::QueuePolicy", tableType, topicType, "AWS::SNS::Subscription", groupType, roleType,
	}
	bySAM = []string{
		functionTypes[1], apiTypes[1], "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Deployment", mappingType, permissionType, "AWS::Events::Rule", invokeType,
	}
)

// types: of another type nobody has asked yet whether it is encrypted, outlives the
// stack, is reached from outside, or allows anybody anything.
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

// conditional: what the other checks find holds in every deployment. What is there
// in some only: who gets reports, what the API says to browsers, and what lets the
// sender read its token, which the check token looks at.
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

// pseudo are the parameters that CloudFormation gives.
var pseudo = []string{
	"AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition",
	"AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix",
}

// attributes are those of the types that are in use; of another type all are taken.
var attributes = map[string][]string{
	functionTypes[0]: {"Arn"},
	queueType:        {"Arn", "QueueName", "QueueUrl"},
	tableType:        {"Arn", "StreamArn", "TableId"},
	apiTypes[0]:      {"RootResourceId", "RestApiId"},
	groupType:        {"Arn"},
	topicType:        {"TopicArn", "TopicName"},
	roleType:         {"Arn", "RoleId"},
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

// isRule reports whether SAM makes a rule of this name: it makes one of each schedule
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

// forms: an ARN where an ARN belongs. A name or an address would be a text, too.
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
		// A variable's name says what is in it: TASKS_QUEUE_URL, REPORT_TOPIC_ARN.
		variables, _ := at(resources[name], "Properties", "Environment", "Variables").(map[string]any)
		for _, variable := range slices.Sorted(maps.Keys(variables)) {
			if form := t.form(variables[variable]); form != "" && !strings.HasSuffix(variable, "_"+form) {
				report(name, "%s is a %s: %v", variable, form, variables[variable])
			}
		}
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
	return s["Effect"] == "Deny" && s["Principal"] == "*" && slices.Contains(texts(s["Action"]), "sqs:*") &&
		slices.ContainsFunc(list(s["Resource"]), func(r any) bool { return arnOf(r) == queue }) &&
		reflect.DeepEqual(s["Condition"], map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}})
}

// logRetention: a group that nobody made is made by Lambda, and kept forever.
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
		// No more than that: if nothing is said it is for 35 days.
		if !reflect.DeepEqual(table["PointInTimeRecoverySpecification"], map[string]any{"PointInTimeRecoveryEnabled": true}) {
			report(name, "cannot be brought back to what it was in the last 35 days")
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

// secrets: a parameter that is one is shown nowhere, no output included, and has no
// default but that there is none.
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

// throttledStages: guessing keys, like anything else, has a limit.
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
