package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// schemaWalk visits each schema that a part of the description reaches, through
// references and nested schemas, once.
type schemaWalk struct {
	d     document
	seen  map[string]bool
	visit func(at string, s map[string]any)
}

func (d document) schemasBelow(p place, visit func(at string, s map[string]any)) {
	w := schemaWalk{d, map[string]bool{}, visit}
	w.part(p)
}

// part looks for schemas in a part that is no schema itself.
func (w schemaWalk) part(p place) {
	for key, value := range p.value {
		switch value := value.(type) {
		case map[string]any:
			switch key {
			case "schema":
				w.schema(p.at+"/schema", value)
			case "example":
			default:
				w.part(w.d.in(p, key))
			}
		case []any:
			for i, one := range value {
				w.part(place{fmt.Sprintf("%s/%s/%d", p.at, key, i), asMap(one)})
			}
		}
	}
}

func (w schemaWalk) schema(at string, s map[string]any) {
	if ref := asText(s["$ref"]); ref != "" {
		name := strings.TrimPrefix(ref, "#/components/schemas/")
		at, s = "/components/schemas/"+name, w.d.in(place{"", w.d.root}, "components", "schemas", name).value
		if s == nil {
			w.d.t.Errorf("%s leads nowhere", ref)
		}
	}
	if w.seen[at] {
		return
	}
	w.seen[at] = true
	w.visit(at, s)
	for name, property := range asMap(s["properties"]) {
		w.schema(at+"/properties/"+name, asMap(property))
	}
	if items := asMap(s["items"]); items != nil {
		w.schema(at+"/items", items)
	}
	for _, key := range []string{"oneOf", "allOf", "anyOf"} {
		choices, _ := s[key].([]any)
		for i, one := range choices {
			w.schema(fmt.Sprintf("%s/%s/%d", at, key, i), asMap(one))
		}
	}
}

func TestAnswersAreOpenAndRequestsAreClosed(t *testing.T) {
	t.Parallel()
	d := descriptionOf(t)
	objects := 0
	for _, op := range d.operations() {
		d.schemasBelow(d.in(op, "responses"), func(at string, s map[string]any) {
			if s["type"] == "object" {
				objects++
			}
			if s["additionalProperties"] == false {
				t.Errorf("%s is in an answer, and allows no new fields", at)
			}
		})
		d.schemasBelow(d.in(op, "requestBody"), func(at string, s map[string]any) {
			if s["properties"] != nil && s["additionalProperties"] != false {
				t.Errorf("%s is in a request, and allows unknown fields", at)
			}
		})
	}
	if objects == 0 {
		t.Error("no objects in answers")
	}
}

func TestSchemasAreThoseThatGeneratorsRead(t *testing.T) {
	t.Parallel()
	d := descriptionOf(t)
	used, nullable := map[string]bool{}, 0
	check := func(at string, s map[string]any) {
		if name, ok := strings.CutPrefix(at, "/components/schemas/"); ok {
			used[strings.Split(name, "/")[0]] = true
		}
		if s["format"] == "date-time" && s["pattern"] != nil {
			t.Errorf("%s: an instant with a pattern", at)
		}
		if types, ok := s["type"].([]any); ok && slices.Contains(types, any("object")) {
			t.Errorf("%s: an object that may be null stands in place", at)
		}
		if choices, ok := s["oneOf"].([]any); ok {
			nullable++
			if len(choices) != 2 || asMap(choices[0])["$ref"] == nil || asMap(choices[1])["type"] != "null" {
				t.Errorf("%s: %v", at, choices)
			}
		}
		for key := range s {
			if key == "patternDescription" || key == "x-name" {
				t.Errorf("%s: the key %s is not one of JSON Schema", at, key)
			}
		}
	}
	for _, op := range d.operations() {
		d.schemasBelow(op, check)
	}
	if nullable < 4 {
		t.Errorf("%d objects that may be null, want those of two answers, a request and a patch", nullable)
	}
	all := asMap(asMap(d.root["components"])["schemas"])
	if diff := cmp.Diff(slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(all))); diff != "" {
		t.Errorf("schemas that operations use (-used +listed):\n%s", diff)
	}
	// Generators have these names for themselves: the program that calls the API, and
	// the types of TypeScript and of security schemes.
	taken := []string{"Client", "Index", "Configuration", "Error", "Object", "Map", "Date", "Record"}
	for name := range asMap(asMap(d.root["components"])["securitySchemes"]) {
		taken = append(taken, strings.ToUpper(name[:1])+name[1:])
	}
	for _, name := range taken {
		if all[name] != nil {
			t.Errorf("the schema %s has a name that generators use", name)
		}
	}
}

func TestPathsHaveNoSlashAtTheirEnd(t *testing.T) {
	t.Parallel()
	for path := range asMap(descriptionOf(t).root["paths"]) {
		if strings.HasSuffix(path, "/") {
			t.Error(path)
		}
	}
}

func TestBothFormsOfTheDescriptionAreTheSamePrintableText(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	inJSON, inYAML := v.call(http.MethodGet, "/openapi.json", "").Body.Bytes(), v.call(http.MethodGet, "/openapi.yaml", "").Body.Bytes()
	for form, text := range map[string][]byte{"JSON": inJSON, "YAML": inYAML} {
		if at := bytes.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); at >= 0 {
			t.Errorf("%s: a character that cannot be printed: %q", form, text[max(0, at-30):at+30])
		}
	}
	var one, other any
	if err := json.Unmarshal(inJSON, &one); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(inYAML, &other); err != nil {
		t.Fatal(err)
	}
	// The same types of numbers on both sides.
	text, err := json.Marshal(other)
	if err == nil {
		err = json.Unmarshal(text, &other)
	}
	if err != nil || !reflect.DeepEqual(one, other) {
		t.Errorf("%v: the two forms differ:\n%s", err, cmp.Diff(one, other))
	}
}

func TestTheDowngradedDescriptionHasNothingOfOpenAPI31(t *testing.T) {
	t.Parallel()
	var d map[string]any
	if err := json.Unmarshal(serve(t, &stores{}).call(http.MethodGet, "/openapi-3.0.json", "").Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(asText(d["openapi"]), "3.0.") {
		t.Errorf("openapi: %v", d["openapi"])
	}
	full := descriptionOf(t).root
	if got, want := slices.Sorted(maps.Keys(asMap(d["paths"]))), slices.Sorted(maps.Keys(asMap(full["paths"]))); !slices.Equal(got, want) {
		t.Errorf("paths %v, want %v", got, want)
	}
	nullable := 0
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case []any:
			for i, one := range v {
				walk(fmt.Sprintf("%s/%d", at, i), one)
			}
		case map[string]any:
			if _, alone := v["$ref"]; alone && len(v) > 1 {
				t.Errorf("%s: a reference with other keys", at)
			}
			if v["nullable"] == true {
				nullable++
				if v["type"] == nil {
					t.Errorf("%s: null without a type", at)
				}
			}
			if _, isList := v["type"].([]any); isList || v["type"] == "null" {
				t.Errorf("%s: type %v", at, v["type"])
			}
			for _, key := range []string{"contentMediaType", "identifier", "jsonSchemaDialect"} {
				if _, ok := v[key]; ok {
					t.Errorf("%s has %s", at, key)
				}
			}
			if examples, ok := v["examples"].([]any); ok {
				t.Errorf("%s has examples %v", at, examples)
			}
			for key, value := range v {
				if key != "example" {
					walk(at+"/"+key, value)
				}
			}
		}
	}
	walk("", d)
	if nullable == 0 {
		t.Error("nothing may be null")
	}
}
