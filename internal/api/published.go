package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// published returns the description that integrators get. huma checks requests with
// the schemas of d, which stay as they are. The published ones differ, so that
// generators make code of them that compiles and that reads later answers, too:
//
//   - A schema has the name of [publishedNames].
//   - An object of an answer may have more fields; an object of a request may not.
//   - An instant has a format and no pattern. A generator that knows the format would
//     apply the pattern to the parsed value.
//   - A pattern is written as JSON Schema recommends (ECMA-262), in ASCII.
//   - An object that may be null is a schema with a name, or null.
//   - Only schemas that an operation uses are listed.
func published(d *huma.OpenAPI) *huma.OpenAPI {
	p := publisher{from: d.Components.Schemas, to: huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer)}
	all, components := *d, *d.Components
	all.Components, components.Schemas = &components, p.to
	all.Paths = make(map[string]*huma.PathItem, len(d.Paths))
	for path, item := range d.Paths {
		to := *item
		to.Get, to.Post, to.Put, to.Patch, to.Delete = p.operation(item.Get), p.operation(item.Post), p.operation(item.Put),
			p.operation(item.Patch), p.operation(item.Delete)
		all.Paths[path] = &to
	}
	components.Responses = p.responses(d.Components.Responses)
	return &all
}

const (
	// schemaPrefix begins each reference to a schema.
	schemaPrefix = "#/components/schemas/"
	// nameKey is the extension with which a schema that stands in place has a name. The
	// publisher moves the schema to that name.
	nameKey = "x-name"
)

// publishedNames returns the names of schemas that are not those of Go's types. Go
// generators name the program that calls the API Client. In TypeScript, Index is
// reserved by generators.
func publishedNames() map[string]string {
	return map[string]string{"Client": "DirectoryClient", "Index": "StartingPoints"}
}

// publisher copies the parts of a description that hold schemas. It never changes the
// original.
type publisher struct{ from, to huma.Registry }

// use is where a schema is used.
type use bool

const (
	inRequest use = false
	inAnswer  use = true
)

// operation returns a copy of an operation, or nil for nil.
func (p publisher) operation(op *huma.Operation) *huma.Operation {
	if op == nil {
		return nil
	}
	to := *op
	to.Parameters = slices.Clone(op.Parameters)
	for i, param := range to.Parameters {
		copied := *param
		copied.Schema = p.schema(param.Schema, inRequest)
		to.Parameters[i] = &copied
	}
	if op.RequestBody != nil {
		body := *op.RequestBody
		body.Content = p.content(body.Content, inRequest)
		to.RequestBody = &body
	}
	to.Responses = p.responses(op.Responses)
	return &to
}

// responses returns copies of answers.
func (p publisher) responses(all map[string]*huma.Response) map[string]*huma.Response {
	to := make(map[string]*huma.Response, len(all))
	for name, response := range all {
		copied := *response
		copied.Content = p.content(response.Content, inAnswer)
		copied.Headers = maps.Clone(response.Headers)
		for name, header := range copied.Headers {
			h := *header
			h.Schema = p.schema(header.Schema, inAnswer)
			copied.Headers[name] = &h
		}
		to[name] = &copied
	}
	return to
}

// content returns copies of bodies by media type.
func (p publisher) content(all map[string]*huma.MediaType, in use) map[string]*huma.MediaType {
	to := maps.Clone(all)
	for media, content := range to {
		copied := *content
		copied.Schema = p.schema(content.Schema, in)
		to[media] = &copied
	}
	return to
}

// schema returns the published form of a schema, which may be a reference to it.
func (p publisher) schema(s *huma.Schema, in use) *huma.Schema {
	if s == nil {
		return nil
	}
	to := *s
	if s.Ref != "" {
		name := strings.TrimPrefix(s.Ref, schemaPrefix)
		to.Ref = p.component(name, p.from.Map()[name], in)
		return &to
	}
	if name, ok := s.Extensions[nameKey].(string); ok {
		return p.named(name, to, in)
	}
	if s.Format == "date-time" {
		to.Pattern, to.PatternDescription = "", ""
	}
	to.Pattern = escapes.ReplaceAllString(to.Pattern, `\u$1`)
	if to.PatternDescription != "" {
		to.Extensions = maps.Clone(s.Extensions)
		if to.Extensions == nil {
			to.Extensions = map[string]any{}
		}
		to.Extensions["x-patternDescription"], to.PatternDescription = to.PatternDescription, ""
	}
	if to.Type == huma.TypeObject && in == inAnswer && to.AdditionalProperties == false {
		to.AdditionalProperties = nil
	}
	to.Items = p.schema(s.Items, in)
	to.Properties = maps.Clone(s.Properties)
	for name, property := range to.Properties {
		to.Properties[name] = p.schema(property, in)
	}
	return &to
}

// escapes matches a character as Go's patterns have it. Those of JSON Schema have \u
// and four digits.
var escapes = regexp.MustCompile(`\\x\{([0-9a-f]{4})\}`)

// named returns a reference to a schema that stands in place, with null if the schema
// accepts it. The text about it stays in its place.
func (p publisher) named(name string, s huma.Schema, in use) *huma.Schema {
	about, null := s.Description, s.Nullable
	s.Extensions = maps.Clone(s.Extensions)
	delete(s.Extensions, nameKey)
	s.Description, s.Nullable = "", false
	ref := &huma.Schema{Ref: p.component(name, &s, in)}
	if !null {
		ref.Description = about
		return ref
	}
	return &huma.Schema{Description: about, OneOf: []*huma.Schema{ref, {Type: "null"}}}
}

// component publishes a schema under its name, and returns the reference to it. A
// schema is used either in requests or in answers: one of both would be open and
// closed.
func (p publisher) component(name string, s *huma.Schema, in use) string {
	if other, ok := publishedNames()[name]; ok {
		name = other
	} else if of, ok := strings.CutPrefix(name, "List"); ok {
		// huma names a list after its items.
		if other, ok := publishedNames()[of]; ok {
			name = "List" + other
		}
	}
	if p.to.Map()[name] == nil {
		p.to.Map()[name] = &huma.Schema{} // for a schema that refers to itself
		p.to.Map()[name] = p.schema(s, in)
	}
	return schemaPrefix + name
}

// downgraded returns a description in the form of OpenAPI 3.0, as JSON, for tools that
// cannot read 3.1. huma's own downgrade does most of it.
func downgraded(d *huma.OpenAPI) ([]byte, error) {
	text, err := d.Downgrade()
	if err != nil {
		return nil, fmt.Errorf("downgrade the description: %w", err)
	}
	var all any
	// A number stays as it is written: the largest id has 16 digits.
	numbers := json.NewDecoder(bytes.NewReader(text))
	numbers.UseNumber()
	if err := numbers.Decode(&all); err != nil {
		return nil, fmt.Errorf("read the downgraded description: %w", err)
	}
	downgrade(all)
	if text, err = json.Marshal(all); err != nil {
		return nil, fmt.Errorf("write the downgraded description: %w", err)
	}
	return text, nil
}

// downgrade changes what huma's downgrade leaves as OpenAPI 3.0 does not have it: null
// among alternatives, keys beside a reference, and keys that are new in 3.1. Examples
// are data and stay.
func downgrade(v any) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			downgrade(one)
		}
	case map[string]any:
		if choices, ok := v["oneOf"].([]any); ok {
			kept := slices.DeleteFunc(choices, func(c any) bool { s, ok := c.(map[string]any); return ok && s["type"] == "null" })
			if v["oneOf"] = kept; len(kept) < len(choices) {
				delete(v, "oneOf")
				// OpenAPI 3.0 wants a type beside nullable. Only objects have this form.
				v["allOf"], v["nullable"], v["type"] = kept, true, huma.TypeObject
			}
		}
		if ref, ok := v["$ref"]; ok && len(v) > 1 {
			delete(v, "$ref")
			v["allOf"] = []any{map[string]any{"$ref": ref}}
		}
		delete(v, "contentMediaType")
		if license, ok := v["license"].(map[string]any); ok {
			delete(license, "identifier")
		}
		for key, value := range v {
			if key != "example" {
				downgrade(value)
			}
		}
	}
}
