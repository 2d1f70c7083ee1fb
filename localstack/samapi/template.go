package main

import (
	"bytes"
	"errors"
	"fmt"

	"gopkg.in/yaml.v3"
)

// bound changes a built template so that its functions work with a running stack. A
// value !Ref in their environment becomes the resource's physical id, if the stack has
// such a resource: sam itself would use the logical id, which is not the name of any
// table. AWS is at endpoint. References to parameters stay, and sam resolves them.
// --env-vars would not be enough: sam passes a variable into a container only if the
// template has it.
func bound(template []byte, physical map[string]string, endpoint string) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(template, &root); err != nil {
		return nil, fmt.Errorf("parse the built template: %w", err)
	}
	if len(root.Content) == 0 {
		return nil, errors.New("the built template is empty")
	}
	globals := at(root.Content[0], "Globals", "Function", "Environment", "Variables")
	if globals == nil {
		return nil, errors.New("the built template has no Globals.Function.Environment.Variables")
	}
	bind(globals, physical)
	globals.Content = append(globals.Content, text("AWS_ENDPOINT_URL"), text(endpoint))
	resources := at(root.Content[0], "Resources")
	for i := 1; resources != nil && i < len(resources.Content); i += 2 {
		if variables := at(resources.Content[i], "Properties", "Environment", "Variables"); variables != nil {
			bind(variables, physical)
		}
	}
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	if err := errors.Join(encoder.Encode(&root), encoder.Close()); err != nil {
		return nil, fmt.Errorf("write the template: %w", err)
	}
	return b.Bytes(), nil
}

// bind replaces references in variables by physical ids.
func bind(variables *yaml.Node, physical map[string]string) {
	for i := 1; i < len(variables.Content); i += 2 {
		value := variables.Content[i]
		name := value.Value // !Ref X, or sam's form, {Ref: X}
		if ref := at(value, "Ref"); ref != nil {
			name = ref.Value
		} else if value.Tag != "!Ref" {
			continue
		}
		if id, ok := physical[name]; ok {
			variables.Content[i] = text(id)
		}
	}
}

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// at returns the node below a path of keys, or nil if there is none.
func at(n *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		var next *yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				next = n.Content[i+1]
			}
		}
		n = next
	}
	return n
}
