package api_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"postrider/internal/api"
	"postrider/internal/mailing"
)

// odd has values that are valid in some fields and invalid in others.
var odd = []any{
	nil, true, 0, -1, 1.5, 79001234567, "", " ", "\n", "\u0085", "\u3000", "\ufeff", "x", "vip", " vip ", "900", "90", "9000", "79001234567", "+79001234567", "7900123456",
	"Europe/Moscow", "resend", "stop", "09:00", "24:00", "9:00", "2030-02-01T00:00:00Z", "2030-02-30T00:00:00Z", "2030-02-01T00:00:00", "2030-02-01",
	"2030-02-01T00:00:00.1234567891Z", "2030-02-01t00:00:00z", "2030-02-01T00:00:00+24:00",
	strings.Repeat("я", 64), strings.Repeat("я", 65), strings.Repeat(" ", 60) + "vip  ", strings.Repeat("я", 1600), strings.Repeat("я", 1601),
	[]any{},
	[]any{nil},
	[]any{"900"},
	[]any{"vip"},
	[]any{" vip"},
	[]any{"\u0085vip"},
	[]any{"vip\u00a0"},
	[]any{"\ufeffvip"},
	[]any{""},
	[]any{1},
	manyTimes("900", 50), manyTimes("900", 51),
	map[string]any{},
	map[string]any{"x": 1},
	map[string]any{"from": "09:00", "to": "21:00"},
	map[string]any{"from": "09:00"},
	map[string]any{"from": nil, "to": "21:00"},
}

func manyTimes(value any, n int) []any { return slices.Repeat([]any{value}, n) }

// beyond has the locations of errors that a schema cannot express.
var beyond = []string{"body.timezone", "body.start_at", "body.end_at", "body.window"}

func TestBodiesAreAcceptedIfTheirSchemaAcceptsThem(t *testing.T) {
	t.Parallel()
	m := sale()
	m.Status, m.StartAt, m.EndAt = mailing.StatusScheduled, now.Add(time.Hour), now.Add(1000*time.Hour)
	s := tested(m)
	s.client = &ann
	s.countAudience = func(mailing.Filter) (int64, error) { return 0, nil }
	s.createClient = func(c mailing.Client) (mailing.Client, error) { return c, nil }
	s.createMailing = func(m mailing.Mailing) (mailing.Mailing, error) { return m, nil }
	v, d := serve(t, s), descriptionOf(t)
	operations, compiler := d.operations(), d.compiler()
	targets := map[string]string{"/api/clients/{id}": "/api/clients/7", "/api/mailings/{id}": "/api/mailings/3", "/api/mailings/{id}/test": "/api/mailings/3/test", "/api/mailings/{id}/retry": "/api/mailings/3/retry"}
	for id, op := range operations {
		if op.value["requestBody"] == nil {
			continue
		}
		path, method := pathOf(op)
		for kind := range asMap(d.in(op, "requestBody").value["content"]) {
			if id == "import-clients" {
				continue // the rules of a file are not in a schema
			}
			body := d.in(op, "requestBody", "content", kind)
			schema, err := compiler.Compile("openapi.json#" + body.at + "/schema")
			if err != nil {
				t.Fatal(err)
			}
			for _, variant := range variants(asMap(body.value["example"]), fieldsOf(d, asMap(body.value["schema"]))) {
				text, err := json.Marshal(variant)
				if err != nil {
					t.Fatal(err)
				}
				read, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				valid := schema.Validate(read) == nil
				target := path
				if known, ok := targets[path]; ok {
					target = known
				}
				w := v.call(method, target, string(text), "Content-Type", kind)
				// A conflict comes from the mailing's state, and 401 from the keys, so
				// the body was accepted.
				if taken := w.Code < 300 || w.Code == http.StatusConflict || w.Code == http.StatusUnauthorized; taken != valid && (taken || !breaksARule(t, w.Body.Bytes())) {
					t.Errorf("%s as %s: valid %v, but status %d\n%.200s\n%s", id, kind, valid, w.Code, text, w.Body)
				}
			}
		}
	}
}

func pathOf(op place) (path, method string) {
	parts := strings.Split(strings.TrimPrefix(op.at, "/paths/"), "/")
	return strings.ReplaceAll(parts[0], "~1", "/"), strings.ToUpper(parts[1])
}

// fieldsOf returns the names of a schema's fields, each with the names in its
// object if it has one.
func fieldsOf(d document, schema map[string]any) map[string][]string {
	resolve := func(s map[string]any) map[string]any {
		if ref, ok := strings.CutPrefix(asText(s["$ref"]), "#/components/schemas/"); ok {
			return d.in(place{"", d.root}, "components", "schemas", ref).value
		}
		return s
	}
	fields := map[string][]string{}
	for name, property := range asMap(resolve(schema)["properties"]) {
		fields[name] = slices.Collect(maps.Keys(asMap(resolve(asMap(property))["properties"])))
	}
	return fields
}

// variants returns bodies in which one field is left out, unknown, or has a value
// of odd.
func variants(example map[string]any, fields map[string][]string) []map[string]any {
	var all []map[string]any
	put := func(change func(map[string]any)) {
		body := maps.Clone(example)
		change(body)
		all = append(all, body)
	}
	put(func(map[string]any) {})
	put(func(b map[string]any) { b["no_such_key"] = 1 })
	for name, inner := range fields {
		put(func(b map[string]any) { delete(b, name) })
		for _, value := range odd {
			put(func(b map[string]any) { b[name] = value })
			for _, key := range inner {
				put(func(b map[string]any) {
					object := maps.Clone(asMap(b[name]))
					if object == nil {
						object = map[string]any{}
					}
					object[key] = value
					b[name] = object
				})
			}
		}
	}
	return all
}

// breaksARule reports whether all errors of an answer are errors that a schema
// cannot express.
func breaksARule(t *testing.T, answer []byte) bool {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(answer, &p); err != nil {
		t.Fatal(err)
	}
	return p.Status == http.StatusUnprocessableEntity && len(p.Errors) > 0 &&
		!slices.ContainsFunc(p.Errors, func(f api.FieldError) bool {
			return !slices.ContainsFunc(beyond, func(rule string) bool { return strings.HasPrefix(f.Location, rule) })
		})
}
