package template_test

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// trusted is the statement of which principal may assume a function's role.
var trusted = []any{map[string]any{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "lambda.amazonaws.com"}}}

// roles demands that each function has a role of its own in the template. SAM's role
// would have policies of AWS that name no resources. A role has two policies. `runtime`
// is what Lambda does with the role, and is checked here. `calls` is compared with the
// function's calls in test/integration.
func roles(t tree, report report) {
	of := map[string]string{}
	for name, function := range t.resources(functionTypes...) {
		role := arnOf(function["Role"])
		if at(t["Resources"], role, "Type") != roleType || of[role] != "" {
			report(name, "has no role of its own in this template")
		}
		of[role] = cmp.Or(of[role], name)
	}
	for role, is := range t.resources(roleType) {
		if of[role] == "" {
			report(role, "no function has it")
		}
		if !reflect.DeepEqual(at(is, "AssumeRolePolicyDocument", "Statement"), trusted) {
			report(role, "not Lambda alone may take it on")
		}
		for _, s := range statements(is["Policies"]) {
			if s["Effect"] != "Allow" || len(s) != 3 { // Effect, Action, Resource
				report(role, "does more than to allow an action on a resource: %v", s)
			}
		}
		var names []string
		var runtime any
		for _, policy := range list(is["Policies"]) {
			name, _ := at(policy, "PolicyName").(string)
			names = append(names, name)
			if name == "runtime" {
				runtime = at(policy, "PolicyDocument", "Statement")
			}
		}
		if !slices.Equal(names, []string{"calls", "runtime"}) {
			report(role, "its policies are %v", names)
		} else if got, want := allowed(runtime), needed(t, of[role]); !slices.Equal(got, want) {
			report(role, "lets Lambda do %v, which needs %v", got, want)
		}
	}
}

// needed returns the permissions that Lambda needs in a function's role. Lambda polls the
// queues, as in docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html, and
// writes the function's output to the log. The log group exists, so Lambda creates only
// its streams.
func needed(t tree, function string) []string {
	var all []string
	for _, s := range sources(t) {
		if s.function == function {
			all = append(all, "sqs:ReceiveMessage "+s.queue, "sqs:DeleteMessage "+s.queue, "sqs:GetQueueAttributes "+s.queue)
		}
	}
	group := ref(t.of(at(t["Resources"], function, "Properties"), "LoggingConfig", "LogGroup"))
	all = append(all, "logs:CreateLogStream "+group, "logs:PutLogEvents "+group)
	slices.Sort(all)
	return all
}

// allowed returns the pairs of action and resource in statements.
func allowed(statements any) []string {
	var all []string
	for _, s := range list(statements) {
		for _, action := range texts(at(s, "Action")) {
			for _, resource := range list(at(s, "Resource")) {
				all = append(all, action+" "+arnOf(resource))
			}
		}
	}
	slices.Sort(all)
	return all
}

// statements returns the statements of a resource's policies of any kind.
func statements(resource any) []map[string]any {
	var all []map[string]any
	walk(resource, func(m map[string]any) {
		if m["Effect"] != nil {
			all = append(all, m)
		}
	})
	return all
}

// wildcards finds permissions that do not name what they allow. A denial may cover
// everything.
func wildcards(t tree, report report) {
	resources, _ := t["Resources"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		if managed := at(resources[name], "Properties", "ManagedPolicyArns"); managed != nil {
			report(name, "what %v allows is not to be seen", managed)
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
				for _, text := range deep(s[key]) {
					if strings.ContainsAny(text, "*?") {
						report(name, "%s %s allows more than it names", key, text)
					}
				}
			}
		}
	}
}

// deep returns all strings in a value, at any depth.
func deep(value any) []string {
	all := texts(value)
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

// apiFunction is built from functions/api, which demands a key from every caller.
const apiFunction = "ApiFunction"

const permissionType = "AWS::Lambda::Permission"

// routes finds ways from outside to a function without keys. Only the api function knows
// the keys and authenticates callers, so no other function may be reached from outside.
func routes(t tree, report report) {
	for name, function := range t.resources(functionTypes...) {
		if t.of(function, "FunctionUrlConfig") != nil {
			report(name, "has an address of its own")
		}
		events, _ := function["Events"].(map[string]any)
		for _, event := range slices.Sorted(maps.Keys(events)) {
			kind := at(events[event], "Type")
			if kind != "Schedule" && kind != "SQS" && (kind != "Api" || name != apiFunction) {
				report(name, "%s leads to it, and it asks nobody for a key", event)
			}
		}
	}
	for name, api := range t.resources(apiTypes...) {
		if api["DefinitionBody"] != nil || api["DefinitionUri"] != nil {
			report(name, "may lead past the events of %s", apiFunction)
		}
	}
	for name, permission := range t.resources(permissionType) {
		by, function := permission["Principal"], ref(permission["FunctionName"])
		if by != "events.amazonaws.com" && (by != "apigateway.amazonaws.com" || function != apiFunction) {
			report(name, "lets %v call %s", by, function)
		}
	}
}

// keys demands that the api function gets the name of the parameter with the keys, and
// may read it.
func keys(t tree, report report) {
	function := at(t["Resources"], apiFunction, "Properties")
	parameter := ref(t.of(function, "Environment", "Variables", "KEYS_PARAMETER"))
	if parameter == "" {
		report(apiFunction, "its KEYS_PARAMETER is no parameter of the template")
		return
	}
	role := at(t["Resources"], arnOf(at(function, "Role")), "Properties", "Policies")
	if !slices.ContainsFunc(statements(role), func(s map[string]any) bool { return readsParameter(s, parameter) }) {
		report(apiFunction, "may not read what %s names", parameter)
	}
}

func readsParameter(s map[string]any, parameter string) bool {
	return s["Effect"] == "Allow" && slices.Contains(texts(s["Action"]), "ssm:GetParameter") &&
		slices.ContainsFunc(deep(s["Resource"]), func(arn string) bool {
			return strings.Contains(arn, ":ssm:") && strings.HasSuffix(arn, ":parameter${"+parameter+"}")
		})
}
