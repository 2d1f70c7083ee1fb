package template_test

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"postrider/internal/cfn"
)

// trusted is the statement of which principal may assume a function's role.
var trusted = []any{map[string]any{
	"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "lambda.amazonaws.com"},
}}

// roles demands that each function has a role of its own in the template. SAM's role
// would have policies of AWS that name no resources. A role has two policies. `runtime`
// is what Lambda does with the role, and is checked here. `calls` is compared with the
// function's calls in test/integration.
func roles(t cfn.Template, report report) {
	of := map[string]string{}
	for name, function := range t.Resources(functionTypes...) {
		role := arnOf(function["Role"])
		if cfn.At(t["Resources"], role, "Type") != roleType || of[role] != "" {
			report(name, "has no role of its own in this template")
		}
		of[role] = cmp.Or(of[role], name)
	}
	for role, is := range t.Resources(roleType) {
		if of[role] == "" {
			report(role, "no function has it")
		}
		if !reflect.DeepEqual(cfn.At(is, "AssumeRolePolicyDocument", "Statement"), trusted) {
			report(role, "others than Lambda may assume it")
		}
		for _, s := range cfn.Statements(is["Policies"]) {
			if s["Effect"] != "Allow" || len(s) != 3 { // Effect, Action, Resource
				report(role, "does more than allow an action on a resource: %v", s)
			}
		}
		policies := cfn.List(is["Policies"])
		if len(policies) != 2 || cfn.At(policies[0], "PolicyName") != "calls" ||
			cfn.At(policies[1], "PolicyName") != "runtime" {
			report(role, "its policies are not calls and runtime")
		} else if got, want := allowed(policies[1]), needed(t, of[role]); !slices.Equal(got, want) {
			report(role, "lets Lambda do %v, which needs %v", got, want)
		}
	}
}

// needed returns the permissions that Lambda needs in a function's role. Lambda polls the
// queues, as in docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html, and
// writes the function's output to the log. The log group exists, so Lambda creates only
// its streams.
func needed(t cfn.Template, function string) []string {
	var all []string
	for _, s := range sources(t) {
		if s.function == function {
			all = append(all, "sqs:ReceiveMessage "+s.queue, "sqs:DeleteMessage "+s.queue, "sqs:GetQueueAttributes "+s.queue)
		}
	}
	group := cfn.Ref(property(t, cfn.At(t["Resources"], function, "Properties"), "LoggingConfig", "LogGroup"))
	all = append(all, "logs:CreateLogStream "+group, "logs:PutLogEvents "+group)
	slices.Sort(all)
	return all
}

// allowed returns the pairs of action and resource in the statements of a value.
func allowed(value any) []string {
	var all []string
	for _, s := range cfn.Statements(value) {
		for _, action := range cfn.Texts(s["Action"]) {
			for _, resource := range cfn.List(s["Resource"]) {
				all = append(all, action+" "+arnOf(resource))
			}
		}
	}
	slices.Sort(all)
	return all
}

// policiesOf returns the policies of a function's role.
func policiesOf(t cfn.Template, function any) any {
	return cfn.At(t["Resources"], arnOf(cfn.At(function, "Role")), "Properties", "Policies")
}

// wildcards finds permissions that do not name what they allow. A denial may cover
// everything.
func wildcards(t cfn.Template, report report) {
	for name, resource := range cfn.Each(t["Resources"]) {
		if managed := cfn.At(resource, "Properties", "ManagedPolicyArns"); managed != nil {
			report(name, "the template does not show what %v allows", managed)
		}
		for _, s := range cfn.Statements(resource) {
			if s["Effect"] == "Deny" {
				continue
			}
			for _, key := range []string{"NotAction", "NotResource", "NotPrincipal"} {
				if s[key] != nil {
					report(name, "%s allows everything else", key)
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

// apiFunction is built from functions/api, which demands a key from every caller.
const apiFunction = "ApiFunction"

// publicAccess finds ways from outside to a function without keys. Only the api function
// knows the keys and authenticates callers, so no other function may be reached from
// outside.
func publicAccess(t cfn.Template, report report) {
	for name, function := range t.Resources(functionTypes...) {
		if property(t, function, "FunctionUrlConfig") != nil {
			report(name, "has a URL of its own")
		}
		for event, is := range cfn.Each(function["Events"]) {
			kind := cfn.At(is, "Type")
			if kind != "Schedule" && kind != "SQS" && (kind != "Api" || name != apiFunction) {
				report(name, "%s invokes it, and it checks no key", event)
			}
		}
	}
	for name, api := range t.Resources(apiTypes...) {
		if api["DefinitionBody"] != nil || api["DefinitionUri"] != nil {
			report(name, "may have other routes than the events of %s", apiFunction)
		}
	}
	for name, permission := range t.Resources(permissionType) {
		by, function := permission["Principal"], cfn.Ref(permission["FunctionName"])
		if by != "events.amazonaws.com" && (by != "apigateway.amazonaws.com" || function != apiFunction) {
			report(name, "lets %v call %s", by, function)
		}
	}
}

// apiKeys demands that the api function gets the name of the parameter with the keys, and
// may read it.
func apiKeys(t cfn.Template, report report) {
	function := cfn.At(t["Resources"], apiFunction, "Properties")
	parameter := cfn.Ref(property(t, function, "Environment", "Variables", "KEYS_PARAMETER"))
	if parameter == "" {
		report(apiFunction, "its KEYS_PARAMETER is not a parameter of the template")
		return
	}
	reads := func(s map[string]any) bool { return readsParameter(s, parameter) }
	if !slices.ContainsFunc(cfn.Statements(policiesOf(t, function)), reads) {
		report(apiFunction, "may not read the parameter that %s names", parameter)
	}
}

// readsParameter reports whether a statement allows to read the SSM parameter that a
// parameter of the template names.
func readsParameter(s map[string]any, parameter string) bool {
	return s["Effect"] == "Allow" && slices.Contains(cfn.Texts(s["Action"]), "ssm:GetParameter") &&
		slices.ContainsFunc(deep(s["Resource"]), func(arn string) bool {
			return strings.Contains(arn, ":ssm:") && strings.HasSuffix(arn, ":parameter${"+parameter+"}")
		})
}

// The two parameters that can give the sending API's token, and the condition that the
// second one does.
const (
	plainToken     = "ProviderToken"
	tokenParameter = "ProviderTokenParameter"
	tokenCondition = "HasTokenParameter" //nolint:gosec // G101: the name of a condition
)

// providerToken demands that a function that calls the sending API gets both parameters.
// If the second parameter names an SSM parameter, and only then, the function may read it.
// A deployment has exactly one token.
func providerToken(t cfn.Template, report report) {
	for name, function := range t.Resources(functionTypes...) {
		variables := property(t, function, "Environment", "Variables")
		if cfn.At(variables, "PROVIDER_URL") == nil {
			continue
		}
		for variable, parameter := range map[string]string{
			"PROVIDER_TOKEN": plainToken, "PROVIDER_TOKEN_PARAMETER": tokenParameter,
		} {
			if cfn.Ref(cfn.At(variables, variable)) != parameter {
				report(name, "its %s is not %s", variable, parameter)
			}
		}
		reads, ifNamed := 0, 0
		cfn.Walk(policiesOf(t, function), func(m map[string]any) {
			if readsParameter(m, tokenParameter) {
				reads++
			}
			if grant := conditionalGrant(m); grant != nil && readsParameter(grant, tokenParameter) {
				ifNamed++
			} else if grant != nil {
				report(name, "%s allows something else: %v", tokenCondition, grant)
			}
		})
		if reads != 1 || ifNamed != 1 {
			report(name, "may not read the parameter that %s names, or not only if there is one", tokenParameter)
		}
	}
	for _, c := range []struct{ plain, named string }{{"", ""}, {"x", ""}, {"", "/x"}, {"x", "/x"}} {
		with := map[string]any{plainToken: c.plain, tokenParameter: c.named}
		if accepted := keepsRules(t, with); accepted != ((c.plain == "") != (c.named == "")) {
			report(tokenParameter, "a deployment with the tokens %v is accepted: %t", with, accepted)
		}
		if holds(cfn.At(t["Conditions"], tokenCondition), with) != (c.named != "") {
			report(tokenParameter, "%s does not say whether it is named, with %v", tokenCondition, with)
		}
	}
}

// conditionalGrant returns the statement that exists only if the token's parameter is
// named; nil if m is anything else.
func conditionalGrant(m map[string]any) map[string]any {
	branches := cfn.List(m["Fn::If"])
	if len(branches) != 3 || branches[0] != tokenCondition || cfn.Ref(branches[2]) != "AWS::NoValue" ||
		cfn.At(branches[1], "Effect") != "Allow" {
		return nil
	}
	grant, _ := branches[1].(map[string]any)
	return grant
}

// keepsRules reports whether the template's rules accept these parameters.
func keepsRules(t cfn.Template, with map[string]any) bool {
	keeps := true
	cfn.Walk(t["Rules"], func(m map[string]any) {
		if assert := m["Assert"]; assert != nil && !holds(assert, with) {
			keeps = false
		}
	})
	return keeps
}

// holds reports whether a condition is true with these parameters.
func holds(condition any, with map[string]any) bool {
	value := func(v any) any {
		if name := cfn.Ref(v); name != "" {
			return with[name]
		}
		return v
	}
	of := func(function string) []any { return cfn.List(cfn.At(condition, function)) }
	each := func(part any) bool { return holds(part, with) }
	switch {
	case len(of("Fn::Equals")) == 2:
		return reflect.DeepEqual(value(of("Fn::Equals")[0]), value(of("Fn::Equals")[1]))
	case len(of("Fn::Not")) == 1:
		return !each(of("Fn::Not")[0])
	case of("Fn::Or") != nil:
		return slices.ContainsFunc(of("Fn::Or"), each)
	default:
		return false
	}
}
