package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// document is the description as a reader gets it.
type document struct {
	t    *testing.T
	root map[string]any
}

func descriptionOf(t *testing.T) document {
	t.Helper()
	w := serve(t, &stores{}).call(http.MethodGet, "/openapi.json", "")
	root, err := jsonschema.UnmarshalJSON(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return document{t, asMap(root)}
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func asText(v any) string {
	s, _ := v.(string)
	return s
}

// place is a part of the description, with the JSON pointer to it.
type place struct {
	at    string
	value map[string]any
}

// in returns the place below p at the keys. It follows references, except those to
// schemas.
func (d document) in(p place, keys ...string) place {
	for _, key := range keys {
		p.value = asMap(p.value[key])
		p.at += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
		if ref, ok := strings.CutPrefix(asText(p.value["$ref"]), "#/"); ok && !strings.Contains(p.at, "/schema") {
			p = d.in(place{"", d.root}, strings.Split(ref, "/")...)
		}
	}
	return p
}

// operations returns all operations by their ids.
func (d document) operations() map[string]place {
	all := map[string]place{}
	for path := range asMap(d.root["paths"]) {
		item := d.in(place{"", d.root}, "paths", path)
		for method := range item.value {
			op := d.in(item, method)
			all[asText(op.value["operationId"])] = op
		}
	}
	return all
}

// sentences returns a lower bound of the number of sentences in a text.
func sentences(text any) int {
	return strings.Count(asText(text), ". ") + strings.Count(asText(text), ".\n") + min(1, strings.Count(asText(text), "."))
}

func TestEveryOperationIsDescribed(t *testing.T) {
	t.Parallel()
	d := descriptionOf(t)
	var missing []string
	want := func(ok bool, format string, args ...any) {
		if !ok {
			missing = append(missing, fmt.Sprintf(format, args...))
		}
	}
	tags := map[string]bool{}
	for _, tag := range d.root["tags"].([]any) { //nolint:forcetypeassert // a test may panic
		tags[asText(asMap(tag)["name"])] = asText(asMap(tag)["description"]) != ""
	}
	for id, op := range d.operations() {
		want(id != "" && asText(op.value["summary"]) != "", "%s: a summary", op.at)
		want(sentences(op.value["description"]) > 0, "%s: what it does ('about' of the operation)", id)
		for _, tag := range op.value["tags"].([]any) { //nolint:forcetypeassert // a test may panic
			want(tags[asText(tag)], "%s: a description of its tag %s", id, tag)
		}
		parameters, _ := op.value["parameters"].([]any)
		for _, p := range parameters {
			_, hasExample := asMap(p)["example"]
			want(asText(asMap(p)["description"]) != "" && hasExample, "%s: a description and an example of parameter %s", id, asMap(p)["name"])
		}
		for kind := range asMap(d.in(op, "requestBody").value["content"]) {
			_, ok := d.in(op, "requestBody", "content", kind).value["example"]
			want(ok, "%s: an example of its body as %s", id, kind)
		}
		for status := range asMap(op.value["responses"]) {
			r := d.in(op, "responses", status)
			says := asText(r.value["description"])
			want(says != "" && strings.Contains(says, "."), "%s: what %s means, or when it happens", id, status)
			for kind := range asMap(r.value["content"]) {
				_, ok := d.in(r, "content", kind).value["example"]
				want(ok, "%s: an example of its %s as %s", id, status, kind)
				want(status < "400" || kind == "application/problem+json", "%s: %s as a problem document", id, status)
			}
			want(status < "400" || r.value["content"] != nil, "%s: the document of its %s", id, status)
			for name := range asMap(r.value["headers"]) {
				h := d.in(r, "headers", name)
				want(asText(h.value["description"]) != "" && h.value["example"] != nil, "%s: a description and an example of header %s of %s", id, name, status)
			}
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("the description lacks:\n%s", strings.Join(missing, "\n"))
	}
}

func TestLinksNameExistingOperationsAndParameters(t *testing.T) {
	t.Parallel()
	d := descriptionOf(t)
	operations := d.operations()
	links := 0
	for id, op := range operations {
		for status := range asMap(op.value["responses"]) {
			for name := range asMap(d.in(op, "responses", status).value["links"]) {
				link := d.in(op, "responses", status, "links", name)
				links++
				target, ok := operations[asText(link.value["operationId"])]
				if !ok {
					t.Errorf("%s: no operation %s", id, link.value["operationId"])
				}
				taken, _ := target.value["parameters"].([]any)
				for param := range asMap(link.value["parameters"]) {
					if !slices.ContainsFunc(taken, func(p any) bool { return asMap(p)["name"] == param }) {
						t.Errorf("%s: %s takes no %s", id, name, param)
					}
				}
			}
		}
	}
	if links == 0 {
		t.Error("no links")
	}
}

func TestOnlyHealthAndSigningInAndOutArePublic(t *testing.T) {
	t.Parallel()
	d := descriptionOf(t)
	var got []string
	for id, op := range d.operations() {
		security, ok := op.value["security"].([]any)
		if ok && len(security) == 0 {
			got = append(got, id)
		}
		for _, status := range []string{"401", "503"} {
			// Signing in checks the key in the body.
			if documented := asMap(op.value["responses"])[status] != nil; documented != (!ok || id == "create-session") {
				t.Errorf("%s: %s documented: %v", id, status, documented)
			}
		}
		_, forbidden := asMap(op.value["responses"])["403"]
		if reads := strings.HasSuffix(op.at, "/get"); forbidden == reads {
			t.Errorf("%s: 403 documented: %v", id, forbidden)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"create-session", "delete-session", "get-health"}, got); diff != "" {
		t.Errorf("public (-want +got):\n%s", diff)
	}
	if got := slices.Sorted(maps.Keys(asMap(d.in(place{"", d.root}, "components", "securitySchemes").value))); len(got) != 3 {
		t.Errorf("schemes: %v", got)
	}
}
