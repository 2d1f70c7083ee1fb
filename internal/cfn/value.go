package cfn

import (
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// At returns the value at a path of keys, or nil if there is none.
func At(value any, path ...string) any {
	for _, key := range path {
		value = mapping(value)[key]
	}
	return value
}

func mapping(value any) map[string]any {
	if t, ok := value.(Template); ok {
		return t
	}
	m, _ := value.(map[string]any)
	return m
}

// Each ranges over a mapping, ordered by key. Any other value is empty.
func Each(value any) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		m := mapping(value)
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}

// Resources returns the properties of the resources of these types, ordered by name.
func (t Template) Resources(types ...string) iter.Seq2[string, map[string]any] {
	return func(yield func(string, map[string]any) bool) {
		for name, resource := range Each(t["Resources"]) {
			kind, _ := At(resource, "Type").(string)
			if slices.Contains(types, kind) && !yield(name, mapping(At(resource, "Properties"))) {
				return
			}
		}
	}
}

// Walk calls visit for each mapping in a value, outer ones first.
func Walk(value any, visit func(map[string]any)) {
	if list, ok := value.([]any); ok {
		for _, one := range list {
			Walk(one, visit)
		}
		return
	}
	if m := mapping(value); m != nil {
		visit(m)
	}
	for _, one := range Each(value) {
		Walk(one, visit)
	}
}

// Statements returns the statements of the policies in a value, at any depth.
func Statements(value any) []map[string]any {
	var all []map[string]any
	Walk(value, func(m map[string]any) {
		if m["Effect"] != nil {
			all = append(all, m)
		}
	})
	return all
}

// List returns a value as a list: CloudFormation takes one value for a list of one.
func List(value any) []any {
	switch value := value.(type) {
	case nil:
		return nil
	case []any:
		return value
	default:
		return []any{value}
	}
}

// Texts returns the strings in a value that is a string or a list.
func Texts(value any) []string {
	var all []string
	for _, one := range List(value) {
		if s, ok := one.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// Text returns a string, a number or a boolean as it is written in a template, and "" for
// anything else.
func Text(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(value)
	default:
		return ""
	}
}

// Ref returns the name in {"Ref": name}, and "" for anything else.
func Ref(value any) string {
	name, _ := At(value, "Ref").(string)
	return name
}

// Attribute returns the resource and the attribute in {"Fn::GetAtt": [resource,
// attribute]}, and "" for anything else.
func Attribute(value any) (resource, attribute string) {
	resource, attribute, _ = strings.Cut(strings.Join(Texts(At(value, "Fn::GetAtt")), "."), ".")
	return resource, attribute
}

// Argument returns a string as it is, and of a reference the text in it: the argument of
// Ref and Fn::Sub, and resource.attribute of Fn::GetAtt. It is "" for anything else.
func Argument(value any) string {
	if text := strings.Join(Texts(At(value, "Fn::GetAtt")), "."); text != "" {
		return text
	}
	for _, one := range []any{value, At(value, "Ref"), At(value, "Fn::Sub")} {
		if text, ok := one.(string); ok {
			return text
		}
	}
	return ""
}
