package api_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compiler returns a compiler of the description's schemas into validators. It is
// independent of the validator that the service uses.
func (d document) compiler() *jsonschema.Compiler {
	d.t.Helper()
	c := jsonschema.NewCompiler()
	c.UseRegexpEngine(ecma)
	c.AssertFormat()
	if err := c.AddResource("openapi.json", d.root); err != nil {
		d.t.Fatal(err)
	}
	return c
}

// ecma reads a pattern of the description. Go has another form of the escape \u.
func ecma(pattern string) (jsonschema.Regexp, error) {
	return regexp.Compile(regexp.MustCompile(`\\u([0-9a-f]{4})`).ReplaceAllString(pattern, `\x{$1}`))
}

func TestEveryExampleIsValid(t *testing.T) {
	t.Parallel()
	d := descriptionOf(t)
	compiler := d.compiler()
	checked := 0
	var walk func(p place)
	walk = func(p place) {
		if example, ok := p.value["example"]; ok && p.value["schema"] != nil {
			schema, err := compiler.Compile("openapi.json#" + p.at + "/schema")
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(example); err != nil {
				t.Errorf("%s: %v", p.at, err)
			}
			checked++
		}
		for key, value := range p.value {
			switch value := value.(type) {
			case map[string]any:
				if key != "schemas" && key != "schema" && key != "example" {
					walk(d.in(p, key))
				}
			case []any:
				for i, one := range value {
					if key == "parameters" {
						walk(place{p.at + "/parameters/" + string(rune('0'+i)), asMap(one)})
					}
				}
			}
		}
	}
	walk(d.in(place{"", d.root}, "paths"))
	if checked < 100 {
		t.Errorf("only %d examples", checked)
	}
}

func TestEveryExampleInASchemaIsValid(t *testing.T) {
	t.Parallel()
	d := descriptionOf(t)
	compiler := d.compiler()
	var walk func(p place)
	walk = func(p place) {
		examples, ok := p.value["examples"].([]any)
		if ok {
			schema, err := compiler.Compile("openapi.json#" + p.at)
			if err != nil {
				t.Fatal(err)
			}
			for _, example := range examples {
				if err := schema.Validate(example); err != nil {
					t.Errorf("%s: %v", p.at, err)
				}
			}
		}
		for key, value := range p.value {
			if m := asMap(value); m != nil {
				walk(place{p.at + "/" + strings.ReplaceAll(key, "/", "~1"), m})
			}
		}
	}
	walk(place{"/components/schemas", d.in(place{"", d.root}, "components", "schemas").value})
}
