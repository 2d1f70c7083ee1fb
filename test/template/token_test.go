package template_test

import (
	"reflect"
	"slices"
)

// The two parameters that can give the sending API's token, and the condition that the
// second one does.
const (
	plainToken     = "ProviderToken"
	tokenParameter = "ProviderTokenParameter"
	tokenCondition = "HasTokenParameter" //nolint:gosec // G101: the name of a condition
)

// token demands that a function that calls the sending API gets both parameters. If the
// second parameter names an SSM parameter, and only then, the function may read it. A
// deployment has exactly one token.
func token(t tree, report report) {
	for name, function := range t.resources(functionTypes...) {
		variables := t.of(function, "Environment", "Variables")
		if at(variables, "PROVIDER_URL") == nil {
			continue
		}
		for variable, parameter := range map[string]string{"PROVIDER_TOKEN": plainToken, "PROVIDER_TOKEN_PARAMETER": tokenParameter} {
			if ref(at(variables, variable)) != parameter {
				report(name, "its %s is not %s", variable, parameter)
			}
		}
		reads, ifNamed := 0, 0
		walk(at(t["Resources"], arnOf(function["Role"]), "Properties", "Policies"), func(m map[string]any) {
			if readsParameter(m, tokenParameter) {
				reads++
			}
			if grant := conditionalGrant(m); grant != nil && readsParameter(grant, tokenParameter) {
				ifNamed++
			} else if grant != nil {
				report(name, "by %s it may do something else: %v", tokenCondition, grant)
			}
		})
		if reads != 1 || ifNamed != 1 {
			report(name, "may not read what %s names, or not only if it does", tokenParameter)
		}
	}
	for _, c := range []struct{ plain, named string }{{"", ""}, {"x", ""}, {"", "/x"}, {"x", "/x"}} {
		with := map[string]any{plainToken: c.plain, tokenParameter: c.named}
		if takes := keepsRules(t, with); takes != ((c.plain == "") != (c.named == "")) {
			report(tokenParameter, "a deployment with the tokens %v is taken: %t", with, takes)
		}
		if holds(at(t["Conditions"], tokenCondition), with) != (c.named != "") {
			report(tokenParameter, "%s does not say whether it is named, with %v", tokenCondition, with)
		}
	}
}

// conditionalGrant returns the statement that exists only if the token's parameter is
// named; nil if m is anything else.
func conditionalGrant(m map[string]any) map[string]any {
	branches := list(m["Fn::If"])
	if len(branches) != 3 || branches[0] != tokenCondition || ref(branches[2]) != "AWS::NoValue" || at(branches[1], "Effect") != "Allow" {
		return nil
	}
	grant, _ := branches[1].(map[string]any)
	return grant
}

// keepsRules reports whether the template's rules accept these parameters.
func keepsRules(t tree, with map[string]any) bool {
	keeps := true
	walk(t["Rules"], func(m map[string]any) {
		if assert := m["Assert"]; assert != nil && !holds(assert, with) {
			keeps = false
		}
	})
	return keeps
}

// holds reports whether a condition is true with these parameters.
func holds(condition any, with map[string]any) bool {
	value := func(v any) any {
		if name := ref(v); name != "" {
			return with[name]
		}
		return v
	}
	of := func(function string) []any { return list(at(condition, function)) }
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
