package template_test

import (
	"regexp"
	"slices"
	"strings"

	"postrider/internal/cfn"
)

// The types that the checks handle: types in the template, and types that SAM makes.
var (
	inTemplate = []string{
		functionTypes[0], apiTypes[0], queueType, "AWS::SQS::QueuePolicy", tableType, topicType, "AWS::SNS::Subscription",
		groupType, roleType,
	}
	bySAM = []string{
		functionTypes[1], apiTypes[1], "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Deployment", mappingType,
		permissionType, "AWS::Events::Rule", invokeType,
	}
)

// resourceTypes finds resources of other types. No check covers their encryption, their
// deletion, the access to them, and the permissions that they grant.
func resourceTypes(t cfn.Template, report report) {
	known := inTemplate
	if t["Transform"] == nil {
		known = slices.Concat(inTemplate, bySAM)
	}
	for name, resource := range cfn.Each(t["Resources"]) {
		if kind := cfn.Text(cfn.At(resource, "Type")); !slices.Contains(known, kind) {
			report(name, "no check covers a %s", kind)
		}
		if cfn.At(resource, "Connectors") != nil {
			report(name, "the template does not show what its connectors allow")
		}
	}
}

// conditional makes the other checks valid for every deployment: it finds resources that
// exist in some deployments only, or differ between them. Three are allowed: the
// subscription to reports, the API's answers to browsers, and the sender's permission to
// read its token, which the check provider-token covers.
func conditional(t cfn.Template, report report) {
	for name, resource := range cfn.Each(t["Resources"]) {
		switch cfn.At(resource, "Type") {
		case "AWS::SNS::Subscription", apiTypes[0], "AWS::ApiGateway::RestApi":
			continue
		}
		if cfn.At(resource, "Condition") != nil {
			report(name, "exists in some deployments only")
		}
		cfn.Walk(resource, func(m map[string]any) {
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

// variables returns the variables in the text of a !Sub.
func variables(sub any) []string {
	var all []string
	for _, match := range variable.FindAllStringSubmatch(strings.Join(cfn.Texts(sub), ""), -1) {
		all = append(all, match[1])
	}
	return all
}

// parts calls visit for each named part of the sections that can hold references.
func parts(t cfn.Template, visit func(name string, part any)) {
	for _, section := range []string{"Conditions", "Globals", "Resources", "Outputs"} {
		for name, part := range cfn.Each(t[section]) {
			visit(name, part)
		}
	}
}

// references finds references to things that do not exist. Linters do not look into a SAM
// event, nor at all references in a function; this is so for cfn-lint 1.58 and sam 1.170.
func references(t cfn.Template, report report) {
	parts(t, func(in string, part any) {
		exists := func(section, name string) {
			if cfn.At(t[section], name) == nil {
				report(in, "%s has no %s", section, name)
			}
		}
		for _, other := range cfn.Texts(cfn.At(part, "DependsOn")) {
			exists("Resources", other)
		}
		if condition, ok := cfn.At(part, "Condition").(string); ok {
			exists("Conditions", condition)
		}
		cfn.Walk(part, func(m map[string]any) {
			if name, ok := m["Ref"].(string); ok && len(m) == 1 && !isName(t, name) {
				report(in, "%s is neither a parameter nor a resource", name)
			}
			if m["Fn::GetAtt"] != nil {
				if resource, attribute := cfn.Attribute(m); !hasAttribute(t, resource, attribute) {
					report(in, "there is no attribute %s.%s", resource, attribute)
				}
			}
			if branches := cfn.List(m["Fn::If"]); len(branches) > 0 {
				exists("Conditions", cfn.Text(branches[0]))
			}
			if find := cfn.List(m["Fn::FindInMap"]); len(find) > 0 {
				exists("Mappings", cfn.Text(find[0]))
			}
			for _, name := range variables(m["Fn::Sub"]) {
				own := slices.ContainsFunc(cfn.List(m["Fn::Sub"]), func(values any) bool { return cfn.At(values, name) != nil })
				resource, attribute, isAttribute := strings.Cut(name, ".")
				if !own && (isAttribute && !hasAttribute(t, resource, attribute) || !isAttribute && !isName(t, name)) {
					report(in, "there is no %s", name)
				}
			}
		})
	})
}

// isName reports whether a parameter or a resource has this name. SAM makes a rule of each
// schedule of a function, and its name is the names of both.
func isName(t cfn.Template, name string) bool {
	for function, resource := range cfn.Each(t["Resources"]) {
		event, ok := strings.CutPrefix(name, function)
		if ok && cfn.At(resource, "Properties", "Events", event, "Type") == "Schedule" {
			return true
		}
	}
	return slices.Contains(pseudo, name) || cfn.At(t["Parameters"], name) != nil || cfn.At(t["Resources"], name) != nil
}

func hasAttribute(t cfn.Template, resource, attribute string) bool {
	is := cfn.At(t["Resources"], resource)
	known, listed := attributes[cfn.Text(cfn.At(is, "Type"))]
	return is != nil && attribute != "" && (!listed || slices.Contains(known, attribute))
}

// referenceForms finds a name or an address in place of an ARN, and the reverse: all of
// them are texts.
func referenceForms(t cfn.Template, report report) {
	for name, resource := range cfn.Each(t["Resources"]) {
		for _, s := range cfn.Statements(resource) {
			for _, on := range cfn.List(s["Resource"]) {
				if is := form(t, on); is != "" && is != "ARN" {
					report(name, "%v is a %s, not an ARN", on, is)
				}
			}
		}
		// A variable's name ends with the form of its value: TASKS_QUEUE_URL,
		// REPORT_TOPIC_ARN.
		for variable, value := range cfn.Each(cfn.At(resource, "Properties", "Environment", "Variables")) {
			if is := form(t, value); is != "" && !strings.HasSuffix(variable, "_"+is) {
				report(name, "%s is a %s: %v", variable, is, value)
			}
		}
	}
}

// form returns the form of a reference to a resource, or of a text that begins with one:
// an ARN, a URL, a TABLE's name, or another NAME; "" for anything else.
func form(t cfn.Template, value any) string {
	if text := strings.Join(cfn.Texts(cfn.At(value, "Fn::Sub")), ""); strings.HasPrefix(text, "${") {
		name, _, _ := strings.Cut(text[2:], "}")
		if value = any(map[string]any{"Ref": name}); strings.Contains(name, ".") {
			value = map[string]any{"Fn::GetAtt": name}
		}
	}
	if resource, attribute := cfn.Attribute(value); resource != "" {
		switch {
		case strings.HasSuffix(strings.ToLower(attribute), "arn"): // references finds an attribute that does not exist
			return "ARN"
		case strings.HasSuffix(attribute, "Url"):
			return "URL"
		default:
			return "NAME"
		}
	}
	switch cfn.At(t["Resources"], cfn.Ref(value), "Type") {
	case nil:
		return ""
	case queueType:
		return "URL"
	case topicType:
		return "ARN"
	case tableType:
		return "TABLE"
	default:
		return "NAME"
	}
}

// unusedParameters finds parameters that nothing reads: they are settings without effect.
func unusedParameters(t cfn.Template, report report) {
	used := map[string]bool{}
	parts(t, func(_ string, part any) {
		cfn.Walk(part, func(m map[string]any) {
			used[cfn.Ref(m)] = true
			for _, name := range variables(m["Fn::Sub"]) {
				used[name] = true
			}
		})
	})
	for name := range cfn.Each(t["Parameters"]) {
		if !used[name] {
			report(name, "nothing reads it")
		}
	}
}
