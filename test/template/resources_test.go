package template_test

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"postrider/internal/cfn"
)

// encryption demands that tables have a key of this account, and that queues and topics
// are encrypted.
func encryption(t cfn.Template, report report) {
	for name, table := range t.Resources(tableType) {
		if cfn.At(table, "SSESpecification", "SSEEnabled") != true {
			report(name, "is not encrypted under a key of this account")
		}
	}
	for name, resource := range t.Resources(queueType, topicType) {
		if resource["SqsManagedSseEnabled"] != true && resource["KmsMasterKeyId"] == nil {
			report(name, "is not encrypted")
		}
	}
}

// tls demands a policy for each queue that denies requests without TLS. DynamoDB accepts
// only TLS; SQS accepts both.
func tls(t cfn.Template, report report) {
	for queue := range t.Resources(queueType) {
		policies, denied := 0, false
		for _, policy := range t.Resources("AWS::SQS::QueuePolicy") {
			if !slices.ContainsFunc(cfn.List(policy["Queues"]), func(q any) bool { return cfn.Ref(q) == queue }) {
				continue
			}
			policies++
			denied = slices.ContainsFunc(cfn.Statements(policy), func(s map[string]any) bool { return deniesPlain(s, queue) })
		}
		if !denied {
			report(queue, "accepts requests without TLS")
		}
		if policies > 1 {
			report(queue, "has %d policies, and SQS keeps one of them", policies)
		}
	}
}

func deniesPlain(s map[string]any, queue string) bool {
	return s["Effect"] == "Deny" && s["Principal"] == "*" && slices.Contains(cfn.Texts(s["Action"]), "sqs:*") &&
		slices.ContainsFunc(cfn.List(s["Resource"]), func(r any) bool { return arnOf(r) == queue }) &&
		reflect.DeepEqual(s["Condition"], map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}})
}

// logRetention demands a log group for each function. Otherwise Lambda makes the group,
// and keeps its lines forever.
func logRetention(t cfn.Template, report report) {
	taken := map[string]bool{}
	for name, function := range t.Resources(functionTypes...) {
		group := cfn.Ref(property(t, function, "LoggingConfig", "LogGroup"))
		if cfn.At(t["Resources"], group, "Type") != groupType || taken[group] {
			report(name, "has no log group of its own in this template")
		}
		taken[group] = true
	}
	for name, group := range t.Resources(groupType) {
		if days := cfn.Ref(group["RetentionInDays"]); days == "" || cfn.At(t["Parameters"], days) == nil {
			report(name, "no parameter sets how long it keeps lines")
		}
	}
}

// pointInTimeRecovery demands that a table can be restored to the last 35 days, which is
// the default.
func pointInTimeRecovery(t cfn.Template, report report) {
	want := map[string]any{"PointInTimeRecoveryEnabled": true}
	for name, table := range t.Resources(tableType) {
		if !reflect.DeepEqual(table["PointInTimeRecoverySpecification"], want) {
			report(name, "cannot be restored to the last 35 days")
		}
	}
}

// deletionPolicies demands that tables and dead-letter queues are kept when the stack is
// deleted: nothing else holds their data. The messages of other queues are made again from
// the tables. After a failed deployment that created a table or queue, it is removed: it is
// empty, and would block the next deployment.
func deletionPolicies(t cfn.Template, report report) {
	kept := map[string]bool{}
	for table := range t.Resources(tableType) {
		kept[table] = true
	}
	for _, queue := range t.Resources(queueType) {
		if dead := arnOf(cfn.At(queue, "RedrivePolicy", "deadLetterTargetArn")); dead != "" {
			kept[dead] = true
		}
	}
	for name := range kept {
		for policy, want := range map[string]string{
			"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain",
		} {
			if cfn.At(t["Resources"], name, policy) != want {
				report(name, "%s is not %s", policy, want)
			}
		}
	}
}

// architectures demands that one parameter sets the processor of a function.
func architectures(t cfn.Template, report report) {
	for name, function := range t.Resources(functionTypes...) {
		of := cfn.List(property(t, function, "Architectures"))
		if len(of) != 1 || cfn.Ref(of[0]) == "" {
			report(name, "no parameter sets its processor")
			continue
		}
		allowed := cfn.Texts(cfn.At(t["Parameters"], cfn.Ref(of[0]), "AllowedValues"))
		if !slices.Equal(slices.Sorted(slices.Values(allowed)), []string{"arm64", "x86_64"}) {
			report(cfn.Ref(of[0]), "allows %v, not arm64 and x86_64", allowed)
		}
	}
}

var secret = regexp.MustCompile(`(Token|Secret|Password)$`)

// secrets demands that nothing shows the value of a secret parameter, also no output, and
// that its default is empty.
func secrets(t cfn.Template, report report) {
	for name, parameter := range cfn.Each(t["Parameters"]) {
		if !secret.MatchString(name) {
			continue
		}
		if cfn.At(parameter, "NoEcho") != true || cfn.Text(cfn.At(parameter, "Default")) != "" {
			report(name, "CloudFormation shows it, or it has a default")
		}
		if strings.Contains(strings.Join(deep(t["Outputs"]), " "), name) {
			report(name, "an output shows it")
		}
	}
}

// throttling demands a limit on the rate of requests, which also limits guesses of keys.
func throttling(t cfn.Template, report report) {
	for name, api := range t.Resources(apiTypes...) {
		all := slices.ContainsFunc(cfn.List(api["MethodSettings"]), func(s any) bool {
			return cfn.At(s, "ResourcePath") == "/*" && cfn.At(s, "HttpMethod") == "*" &&
				cfn.At(s, "ThrottlingRateLimit") != nil && cfn.At(s, "ThrottlingBurstLimit") != nil
		})
		if !all {
			report(name, "does not throttle all paths")
		}
	}
}

// deep returns all strings in a value, at any depth.
func deep(value any) []string {
	all := cfn.Texts(value)
	switch value := value.(type) {
	case []any:
		for _, one := range value {
			if _, text := one.(string); !text {
				all = append(all, deep(one)...)
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			all = append(all, deep(value[key])...)
		}
	}
	return all
}
