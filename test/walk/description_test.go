package walk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// description is /openapi.json as a client gets it.
type description struct {
	operations map[string]*operation
	schemas    *schemas
}

type operation struct {
	OperationID string      `json:"operationId"`
	Parameters  []parameter `json:"parameters"`
	RequestBody *struct {
		Content map[string]content `json:"content"`
	} `json:"requestBody"`
	Responses map[string]response `json:"responses"`

	method, path, pointer string
}

type parameter struct {
	Name    string `json:"name"`
	In      string `json:"in"`
	Example any    `json:"example"`
}

type content struct {
	Example json.RawMessage `json:"example"`
}

type response struct {
	Ref     string             `json:"$ref"`
	Headers map[string]any     `json:"headers"`
	Content map[string]content `json:"content"`
	Links   map[string]struct {
		OperationID string            `json:"operationId"`
		Parameters  map[string]string `json:"parameters"`
	} `json:"links"`

	pointer string
}

// schemas are the schemas of the description, made into validators at the first use.
type schemas struct {
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

func (s *schemas) at(pointer string) (*jsonschema.Schema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.compiled[pointer]; ok {
		return known, nil
	}
	schema, err := s.compiler.Compile("openapi.json#" + pointer)
	s.compiled[pointer] = schema
	return schema, err
}

func readDescription(t *testing.T) *description {
	t.Helper()
	answer := httptest.NewRecorder()
	newWorld(t).api.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/openapi.json", http.NoBody))
	raw := answer.Body.Bytes()
	var read struct {
		Paths      map[string]map[string]*operation `json:"paths"`
		Components struct {
			Responses map[string]response `json:"responses"`
		} `json:"components"`
	}
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err = errors.Join(err, json.Unmarshal(raw, &read)); err != nil {
		t.Fatal(err)
	}
	closeObjects(root)
	compiler := jsonschema.NewCompiler()
	compiler.UseRegexpEngine(ecma)
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", root); err != nil {
		t.Fatal(err)
	}
	d := &description{map[string]*operation{}, &schemas{compiler: compiler, compiled: map[string]*jsonschema.Schema{}}}
	for path, methods := range read.Paths {
		for method, op := range methods {
			op.method, op.path = strings.ToUpper(method), path
			op.pointer = "/paths/" + escaped(path) + "/" + method
			for status, r := range op.Responses {
				r.pointer = op.pointer + "/responses/" + status
				if name, ok := strings.CutPrefix(r.Ref, "#/components/responses/"); ok {
					r = read.Components.Responses[name]
					r.pointer = "/components/responses/" + name
				}
				op.Responses[status] = r
			}
			d.operations[op.OperationID] = op
		}
	}
	return d
}

// closeObjects forbids in all schemas the fields that they do not name. Those of answers
// allow them, because a later version may add fields. This version writes no others.
func closeObjects(node any) {
	switch node := node.(type) {
	case map[string]any:
		if _, ok := node["properties"].(map[string]any); ok && node["additionalProperties"] == nil {
			node["additionalProperties"] = false
		}
		for _, child := range node {
			closeObjects(child)
		}
	case []any:
		for _, child := range node {
			closeObjects(child)
		}
	}
}

// ecma reads a pattern of the description. Go has another form of the escape \u.
func ecma(pattern string) (jsonschema.Regexp, error) {
	return regexp.Compile(regexp.MustCompile(`\\u([0-9a-f]{4})`).ReplaceAllString(pattern, `\x{$1}`))
}

func escaped(key string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(key) }

// takes reports whether the operation has a parameter.
func (op *operation) takes(in, name string) bool {
	for _, p := range op.Parameters {
		if p.In == in && p.Name == name {
			return true
		}
	}
	return false
}

// atTimes are headers that only some answers have.
var atTimes = []string{"Retry-After", "Link", "Idempotency-Replayed"}

// conforms compares an answer with its description.
func (d *description) conforms(op *operation, w *httptest.ResponseRecorder) error {
	said, ok := op.Responses[strconv.Itoa(w.Code)]
	if !ok {
		return fmt.Errorf("status %d is not described: %s", w.Code, w.Body)
	}
	var wrong []error
	for name := range said.Headers {
		if w.Header().Get(name) == "" && !slices.Contains(atTimes, name) {
			wrong = append(wrong, fmt.Errorf("status %d comes without %s", w.Code, name))
		}
	}
	if len(said.Content) == 0 {
		if w.Body.Len() > 0 {
			wrong = append(wrong, fmt.Errorf("status %d has a body: %s", w.Code, w.Body))
		}
		return errors.Join(wrong...)
	}
	media, _, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if _, ok := said.Content[media]; !ok || err != nil {
		return errors.Join(append(wrong, fmt.Errorf("status %d comes as %q: %s", w.Code, w.Header().Get("Content-Type"), w.Body))...)
	}
	var body any = w.Body.String()
	if strings.HasSuffix(media, "json") {
		if body, err = jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes())); err != nil {
			return errors.Join(append(wrong, err)...)
		}
	}
	schema, err := d.schemas.at(said.pointer + "/content/" + escaped(media) + "/schema")
	if err == nil {
		err = schema.Validate(body)
	}
	return errors.Join(append(wrong, err)...)
}
