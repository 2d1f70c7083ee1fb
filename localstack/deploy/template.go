// Package deploy deploys a SAM template to a CloudFormation endpoint: it packages the
// functions, maps settings to parameters, and creates or updates the stack.
package deploy

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"postrider/internal/cfn"
)

// Template is a SAM template.
type Template struct {
	root cfn.Template
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
	root, err := cfn.Parse(data)
	if err != nil {
		return nil, err
	}
	if root["Resources"] == nil {
		return nil, errors.New("parse the template: it has no Resources")
	}
	return &Template{root}, nil
}

// Parameters returns the declared parameters, ordered by name.
func (t *Template) Parameters() []Parameter {
	var all []Parameter
	for name, body := range cfn.Each(t.root["Parameters"]) {
		all = append(all, Parameter{
			Name: name, Default: text(body, "Default"), Secret: text(body, "NoEcho") == "true", limits: readLimits(body),
		})
	}
	return all
}

func readLimits(body any) limits {
	l := limits{
		number: text(body, "Type") == "Number", low: text(body, "MinLength"), high: text(body, "MaxLength"),
		pattern: text(body, "AllowedPattern"), about: cmp.Or(text(body, "ConstraintDescription"), text(body, "Description")),
	}
	if l.number {
		l.low, l.high = text(body, "MinValue"), text(body, "MaxValue")
	}
	for _, value := range cfn.List(cfn.At(body, "AllowedValues")) {
		l.allowed = append(l.allowed, cfn.Text(value))
	}
	return l
}

// text returns a scalar of a parameter as it is written, or "" if there is none.
func text(body any, key string) string { return cfn.Text(cfn.At(body, key)) }

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
	for id := range t.root.Resources("AWS::Serverless::Function") {
		ids = append(ids, id)
	}
	return ids
}

// Package returns the template, as JSON, with each function's CodeUri set to its address
// in code. The key of code is the function's logical id.
func (t *Template) Package(code map[string]string) ([]byte, error) {
	var root cfn.Template
	if err := cfn.Decode(t.root, &root); err != nil { // a copy
		return nil, fmt.Errorf("package the template: %w", err)
	}
	for id, properties := range root.Resources("AWS::Serverless::Function") {
		if code[id] == "" || properties == nil {
			return nil, fmt.Errorf("package the template: no code for %s, or it has no Properties", id)
		}
		properties["CodeUri"] = code[id]
	}
	packaged, err := json.Marshal(root)
	if err != nil {
		return nil, fmt.Errorf("package the template: %w", err)
	}
	return packaged, nil
}
