package main

import (
	"encoding/json"
	"errors"

	"postrider/internal/cfn"
)

// bound changes a built template so that its functions work with a running stack, and
// returns it as JSON. A reference in their environment becomes the resource's physical id,
// if the stack has such a resource: sam itself would use the logical id, which is not the
// name of any table. AWS is at endpoint. References to parameters stay, and sam resolves
// them. --env-vars would not be enough: sam passes a variable into a container only if the
// template has it.
func bound(template []byte, physical map[string]string, endpoint string) ([]byte, error) {
	root, err := cfn.Parse(template)
	if err != nil {
		return nil, err
	}
	globals, ok := cfn.At(root, "Globals", "Function", "Environment", "Variables").(map[string]any)
	if !ok {
		return nil, errors.New("the built template has no Globals.Function.Environment.Variables")
	}
	bind(globals, physical)
	globals["AWS_ENDPOINT_URL"] = endpoint
	for _, resource := range cfn.Each(root["Resources"]) {
		variables, _ := cfn.At(resource, "Properties", "Environment", "Variables").(map[string]any)
		bind(variables, physical)
	}
	return json.Marshal(root)
}

// bind replaces references in variables by physical ids.
func bind(variables map[string]any, physical map[string]string) {
	for name, value := range variables {
		if id, ok := physical[cfn.Ref(value)]; ok {
			variables[name] = id
		}
	}
}
