package template_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// tree is a template as JSON has it: maps, lists, strings, float64 and booleans.
// Short forms are written out: !Ref X is {"Ref": "X"}, and !GetAtt X.Arn is
// {"Fn::GetAtt": "X.Arn"}.
type tree map[string]any

// parse reads YAML with CloudFormation's short forms. A repeated key is an error:
// CloudFormation would use one of the two without a message.
func parse(raw []byte, into any) error {
	var document yaml.Node
	if err := yaml.Unmarshal(raw, &document); err != nil {
		return err
	}
	value, err := expand(&document)
	if err != nil {
		return err
	}
	plain, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, into)
}

// parseFile parses a file.
func parseFile(t *testing.T, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err == nil {
		err = parse(raw, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func expand(n *yaml.Node) (any, error) {
	value, err := expandPlain(n)
	if err != nil || !strings.HasPrefix(n.Tag, "!") || strings.HasPrefix(n.Tag, "!!") {
		return value, err
	}
	name := strings.TrimPrefix(n.Tag, "!")
	if name != "Ref" && name != "Condition" {
		name = "Fn::" + name
	}
	return map[string]any{name: value}, nil
}

func expandPlain(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.DocumentNode:
		return expand(n.Content[0])
	case yaml.AliasNode:
		return expand(n.Alias)
	case yaml.SequenceNode:
		list := []any{}
		for _, one := range n.Content {
			value, err := expand(one)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	case yaml.MappingNode:
		mapping := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if _, twice := mapping[key]; twice {
				return nil, fmt.Errorf("line %d: %s is there twice", n.Content[i].Line, key)
			}
			value, err := expand(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			mapping[key] = value
		}
		return mapping, nil
	default:
		if !strings.HasPrefix(n.Tag, "!!") {
			return n.Value, nil
		}
		var value any
		err := n.Decode(&value)
		return value, err
	}
}

// at returns the value at a path of keys, nil if there is none.
func at(value any, path ...string) any {
	for _, key := range path {
		mapping, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = mapping[key]
	}
	return value
}

// texts returns the strings in a value that is a string or a list.
func texts(value any) []string {
	var all []string
	for _, one := range list(value) {
		if s, ok := one.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// list returns a value as a list; the value may be a single one or a list.
func list(value any) []any {
	switch value := value.(type) {
	case nil:
		return nil
	case []any:
		return value
	default:
		return []any{value}
	}
}

// ref returns the name in a {"Ref": name}, and "" for anything else.
func ref(value any) string {
	s, _ := at(value, "Ref").(string)
	return s
}

// arnOf returns the name in a {"Fn::GetAtt": name.Arn}, and "" for anything else.
func arnOf(value any) string {
	parts := texts(at(value, "Fn::GetAtt"))
	name, what, _ := strings.Cut(strings.Join(parts, "."), ".")
	if what != "Arn" {
		return ""
	}
	return name
}

// functionTypes and apiTypes each hold a SAM type, and the type that SAM makes of it.
var (
	functionTypes = []string{"AWS::Serverless::Function", "AWS::Lambda::Function"}
	apiTypes      = []string{"AWS::Serverless::Api", "AWS::ApiGateway::Stage"}
)

// resources returns the resources of these types with their properties, ordered by name.
func (t tree) resources(kinds ...string) func(func(string, map[string]any) bool) {
	return func(yield func(string, map[string]any) bool) {
		all, _ := t["Resources"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if kind, _ := at(all[name], "Type").(string); slices.Contains(kinds, kind) {
				properties, _ := at(all[name], "Properties").(map[string]any)
				if !yield(name, properties) {
					return
				}
			}
		}
	}
}

// of returns a property of a function: its own, or the global one.
func (t tree) of(function any, path ...string) any {
	if own := at(function, path...); own != nil {
		return own
	}
	return at(t["Globals"], append([]string{"Function"}, path...)...)
}

// number returns a literal, or a parameter's default. Any other value is NaN, which
// satisfies no comparison.
func (t tree) number(value any) float64 {
	if name := ref(value); name != "" {
		value = at(t["Parameters"], name, "Default")
	}
	switch value := value.(type) {
	case float64:
		return value
	case string:
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			return n
		}
	}
	return math.NaN()
}

// span returns the smallest and the largest allowed value: a literal, or the bounds of a
// parameter.
func (t tree) span(value any) (low, high float64) {
	if name := ref(value); name != "" {
		return t.number(at(t["Parameters"], name, "MinValue")), t.number(at(t["Parameters"], name, "MaxValue"))
	}
	return t.number(value), t.number(value)
}

// form returns the form of a reference to a resource, or of a text that begins with one:
// an ARN, a URL, a TABLE's name, or another NAME; "" for anything else.
func (t tree) form(value any) string {
	if text := strings.Join(texts(at(value, "Fn::Sub")), ""); strings.HasPrefix(text, "${") {
		name, _, _ := strings.Cut(text[2:], "}")
		if value = any(map[string]any{"Ref": name}); strings.Contains(name, ".") {
			value = map[string]any{"Fn::GetAtt": name}
		}
	}
	if got := strings.Join(texts(at(value, "Fn::GetAtt")), "."); got != "" {
		switch _, attribute, _ := strings.Cut(got, "."); {
		case strings.HasSuffix(strings.ToLower(attribute), "arn"): // the check references finds an attribute that does not exist
			return "ARN"
		case strings.HasSuffix(attribute, "Url"):
			return "URL"
		default:
			return "NAME"
		}
	}
	switch at(t["Resources"], ref(value), "Type") {
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

// walk calls visit for each mapping in value, outer ones first.
func walk(value any, visit func(map[string]any)) {
	switch value := value.(type) {
	case map[string]any:
		visit(value)
		for _, key := range slices.Sorted(maps.Keys(value)) {
			walk(value[key], visit)
		}
	case []any:
		for _, one := range value {
			walk(one, visit)
		}
	}
}
