// Package deploy deploys a SAM template to a CloudFormation endpoint: it packages the
// functions, maps settings to parameters, and creates or updates the stack.
package deploy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// Template is a SAM template. Short forms such as !Ref stay as they are.
type Template struct {
	root *yaml.Node
}

// Parameter is a parameter that a template declares.
type Parameter struct {
	Name    string
	Default string // "" also if there is no default
	Secret  bool   // NoEcho: it must never be shown

	limits limits
}

// Variable returns the environment variable that sets the parameter. It is the
// parameter's name in upper snake case: PROVIDER_URL for ProviderUrl.
func (p Parameter) Variable() string {
	runes := []rune(p.Name)
	var b strings.Builder
	for i, r := range runes {
		// A new word begins after a small letter or a digit, or at the last capital of
		// a run: URLPath becomes URL_PATH.
		if i > 0 && unicode.IsUpper(r) && (!unicode.IsUpper(runes[i-1]) || (i+1 < len(runes) && unicode.IsLower(runes[i+1]))) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

// ParseTemplate reads a template.
func ParseTemplate(data []byte) (*Template, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, fmt.Errorf("parse the template: %w", err)
	}
	t := &Template{root: &root}
	if len(root.Content) == 0 || get(root.Content[0], "Resources") == nil {
		return nil, errors.New("parse the template: it has no Resources")
	}
	return t, nil
}

// Parameters returns the declared parameters in their order.
func (t *Template) Parameters() []Parameter {
	var all []Parameter
	for name, body := range pairs(get(t.root.Content[0], "Parameters")) {
		all = append(all, Parameter{
			Name: name, Default: text(body, "Default"), Secret: text(body, "NoEcho") == "true", limits: readLimits(body),
		})
	}
	return all
}

func readLimits(body *yaml.Node) limits {
	l := limits{
		number: text(body, "Type") == "Number", low: text(body, "MinLength"), high: text(body, "MaxLength"),
		pattern: text(body, "AllowedPattern"), about: cmp.Or(text(body, "ConstraintDescription"), text(body, "Description")),
	}
	if l.number {
		l.low, l.high = text(body, "MinValue"), text(body, "MaxValue")
	}
	if allowed := get(body, "AllowedValues"); allowed != nil {
		for _, value := range allowed.Content {
			l.allowed = append(l.allowed, value.Value)
		}
	}
	return l
}

// Values returns the values that lookup has, by the parameter's name.
func (t *Template) Values(lookup func(variable string) (string, bool)) map[string]string {
	values := map[string]string{}
	for _, p := range t.Parameters() {
		if v, ok := lookup(p.Variable()); ok {
			values[p.Name] = v
		}
	}
	return values
}

// Functions returns the logical ids of the serverless functions, in order.
func (t *Template) Functions() []string {
	var ids []string
	for id, resource := range pairs(get(t.root.Content[0], "Resources")) {
		if kind := get(resource, "Type"); kind != nil && kind.Value == "AWS::Serverless::Function" {
			ids = append(ids, id)
		}
	}
	return ids
}

// Package returns the template with each function's CodeUri set to its address in code.
// The key of code is the function's logical id.
func (t *Template) Package(code map[string]string) ([]byte, error) {
	root := clone(t.root)
	resources := get(root.Content[0], "Resources")
	for id, resource := range pairs(resources) {
		address, ok := code[id]
		if !ok {
			continue
		}
		properties := get(resource, "Properties")
		if properties == nil {
			return nil, fmt.Errorf("package the template: %s has no Properties", id)
		}
		set(properties, "CodeUri", address)
	}
	if missing := slices.DeleteFunc(t.Functions(), func(id string) bool { return code[id] != "" }); len(missing) > 0 {
		return nil, fmt.Errorf("package the template: no code for %s", strings.Join(missing, ", "))
	}
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, fmt.Errorf("package the template: %w", err)
	}
	return b.Bytes(), encoder.Close()
}

func get(mapping *yaml.Node, key string) *yaml.Node {
	for k, v := range pairs(mapping) {
		if k == key {
			return v
		}
	}
	return nil
}

// text returns a mapping's scalar as it is written, or "" if there is none.
func text(mapping *yaml.Node, key string) string {
	if node := get(mapping, key); node != nil {
		return node.Value
	}
	return ""
}

func set(mapping *yaml.Node, key, value string) {
	if node := get(mapping, key); node != nil {
		*node = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
		return
	}
	mapping.Content = append(mapping.Content,
		&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key},
		&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value})
}

// pairs ranges over a mapping's keys and values in order. A nil mapping has none.
func pairs(mapping *yaml.Node) func(func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		if mapping == nil || mapping.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if !yield(mapping.Content[i].Value, mapping.Content[i+1]) {
				return
			}
		}
	}
}

func clone(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		c.Content[i] = clone(child)
	}
	return &c
}
