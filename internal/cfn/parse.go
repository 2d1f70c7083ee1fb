// Package cfn reads CloudFormation and SAM templates.
package cfn

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"gopkg.in/yaml.v3"
)

// Template is a template as JSON has it: maps, lists, strings, float64 and booleans.
// Short forms are written out: !Ref X is {"Ref": "X"}, and !GetAtt X.Arn is
// {"Fn::GetAtt": ["X", "Arn"]}. So its JSON is the same template.
type Template map[string]any

// Read reads a template from a file.
func Read(path string) (Template, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // G304: the caller's own file
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	t, err := Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Parse reads a template. A repeated key is an error: CloudFormation would use one of the
// two without a message.
func Parse(raw []byte) (Template, error) {
	var t Template
	if err := Unmarshal(raw, &t); err != nil {
		return nil, fmt.Errorf("parse the template: %w", err)
	}
	return t, nil
}

// Unmarshal reads YAML with CloudFormation's short forms into a value with JSON tags.
func Unmarshal(raw []byte, into any) error {
	var document yaml.Node
	if err := yaml.Unmarshal(raw, &document); err != nil {
		return err
	}
	value, err := expand(&document)
	if err != nil {
		return err
	}
	return Decode(value, into)
}

// Decode reads a part of a template into a value with JSON tags.
func Decode(value, into any) error {
	plain, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, into)
}

// expand returns a node's value, with the short form of its tag written out.
func expand(n *yaml.Node) (any, error) {
	value, err := plain(n)
	name, short := strings.CutPrefix(n.Tag, "!")
	if err != nil || !short || strings.HasPrefix(name, "!") {
		return value, err
	}
	switch name {
	case "Ref", "Condition":
	case "GetAtt":
		if text, ok := value.(string); ok {
			value = strings.SplitN(text, ".", 2)
		}
		fallthrough
	default:
		name = "Fn::" + name
	}
	return map[string]any{name: value}, nil
}

// plain returns a node's value without its tag.
func plain(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.DocumentNode:
		return expand(n.Content[0])
	case yaml.AliasNode:
		return expand(n.Alias)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, one := range n.Content {
			var err error
			if list[i], err = expand(one); err != nil {
				return nil, err
			}
		}
		return list, nil
	case yaml.MappingNode:
		mapping := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if _, twice := mapping[key]; twice {
				return nil, fmt.Errorf("line %d: the key %s is repeated", n.Content[i].Line, key)
			}
			var err error
			if mapping[key], err = expand(n.Content[i+1]); err != nil {
				return nil, err
			}
		}
		return mapping, nil
	default:
		if !strings.HasPrefix(n.Tag, "!!") || n.Tag == "!!timestamp" { // JSON has no dates
			return n.Value, nil
		}
		var value any
		err := n.Decode(&value)
		return value, err
	}
}
