package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"gopkg.in/yaml.v3"
)

// given returns the template's parameters that the environment's file sets.
func (e environment) given() (map[string]string, error) {
	text, err := os.ReadFile(e.parameters)
	if err != nil {
		return nil, fmt.Errorf("read the template's parameters: %w", err)
	}
	var parameters map[string]string
	if err := yaml.Unmarshal(text, &parameters); err != nil {
		return nil, fmt.Errorf("read the template's parameters in %s: %w", e.parameters, err)
	}
	return parameters, nil
}

// check refuses parameters that still have the values of the example. With them the
// deployment would succeed, but every message would fail, because the sending API does
// not exist.
func (e environment) check() error {
	parameters, err := e.given()
	if err != nil {
		return err
	}
	address, err := url.Parse(parameters["ProviderUrl"])
	if err != nil {
		return fmt.Errorf("ProviderUrl in %s: %w", e.parameters, err)
	}
	if host := address.Hostname(); host == "example.com" || strings.HasSuffix(host, ".example.com") {
		return fmt.Errorf("ProviderUrl in %s is the example's, %s: set the address of your sending API", e.parameters, address)
	}
	return nil
}

// architecture returns the processor architecture of the deployed functions. The
// functions have to be built for it, and sam does not pass it to make. The value comes
// from the environment's file, or else from the existing stack, or else from the
// template's default, as CloudFormation does it for any parameter.
func (e environment) architecture(stack *types.Stack) (string, error) {
	const name = "Architecture"
	parameters, err := e.given()
	if err != nil {
		return "", err
	}
	if set := parameters[name]; set != "" {
		return set, nil
	}
	if stack != nil {
		for _, p := range stack.Parameters {
			if aws.ToString(p.ParameterKey) == name {
				return aws.ToString(p.ParameterValue), nil
			}
		}
	}
	text, err := os.ReadFile("template.yaml")
	if err != nil {
		return "", err
	}
	var template struct {
		Parameters map[string]struct {
			Default string `yaml:"Default"`
		} `yaml:"Parameters"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		return "", fmt.Errorf("read template.yaml: %w", err)
	}
	if template.Parameters[name].Default == "" {
		return "", errors.New("template.yaml has no default Architecture")
	}
	return template.Parameters[name].Default, nil
}

// forLambda returns an environment in which make builds for Lambda and this
// architecture. It removes variables that may have been exported before (docs/sam.md
// gives reasons to do so) or that the make that runs this command has set.
func forLambda(environ []string, architecture string) []string {
	environ = slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains([]string{"FUNCTION_GOOS", "FUNCTION_GOARCH", "MAKEFLAGS"}, name)
	})
	return append(environ, "ARCHITECTURE="+architecture)
}
