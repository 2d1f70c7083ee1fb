package api

import (
	"cmp"
	_ "embed"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// conventions are what holds for all operations.
//
//go:embed conventions.md
var conventions string

// text is what the description says of one operation beyond what its types say.
type text struct {
	// about is what it does, done what its success means.
	about, done string
	// asked and given are examples of the bodies: values of the types that go
	// over the wire, so that they change with them.
	asked, given any
	// errors are those of which there is more to say than what holds for all.
	errors map[int]problemText
	// links are operations that the answer's id leads to, by the parameter that
	// takes the id.
	links map[string]string
}

// problemText says when an error happens, and gives an example of it. Where it
// does not say when, what holds for all operations does.
type problemText struct {
	when, detail string
	fields       []FieldError
}

func told(when, detail string, fields ...FieldError) problemText {
	return problemText{when, detail, fields}
}

// complete adds to the description what people need, once all operations are
// registered. What it has nothing to say about stays bare, which a test finds.
func (s *server) complete() {
	d := s.api.OpenAPI()
	d.Info.Description = conventions
	d.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "A key, as `Authorization: Bearer <key>`."},
		"apiKey": {Type: "apiKey", In: "header", Name: "X-API-Key", Description: "A key, as `X-API-Key: <key>`."},
	}
	d.Security = []map[string][]string{{"bearer": {}}, {"apiKey": {}}}
	known := texts()
	for _, item := range d.Paths {
		for _, op := range operationsOf(item) {
			s.completeOperation(op, known[op.OperationID])
		}
	}
}

func operationsOf(item *huma.PathItem) []*huma.Operation {
	all := []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete}
	return slices.DeleteFunc(all, func(op *huma.Operation) bool { return op == nil })
}

func (s *server) completeOperation(op *huma.Operation, t text) {
	op.Description = t.about
	if accessOf(*op) == everyone {
		op.Security = []map[string][]string{}
	}
	for _, p := range op.Parameters {
		completeParam(op, p)
	}
	if op.RequestBody != nil {
		for _, content := range op.RequestBody.Content {
			content.Example = t.asked
			if op.Method != http.MethodPatch {
				tellNull(s.schemas(), content.Schema)
			}
		}
	}
	s.completeErrors(op, t)
	success := op.Responses[strconv.Itoa(op.DefaultStatus)]
	success.Description = t.done
	for _, content := range success.Content {
		content.Example = t.given
	}
	for name, h := range success.Headers {
		completeHeader(op, name, h)
	}
	for target, param := range t.links {
		if success.Links == nil {
			success.Links = map[string]*huma.Link{}
		}
		success.Links[target] = &huma.Link{OperationID: target, Parameters: map[string]any{param: "$response.body#/id"}}
	}
}

// tellNull says where huma takes null in a request: instead of anything that
// may be left out.
func tellNull(r huma.Registry, s *huma.Schema) {
	if s == nil {
		return
	}
	for s.Ref != "" {
		s = r.SchemaFromRef(s.Ref)
	}
	for name, p := range s.Properties {
		if !slices.Contains(s.Required, name) && p.Ref == "" {
			nullable(p)
		}
		tellNull(r, p)
	}
	tellNull(r, s.Items)
}

// completeErrors adds the errors that there is something to say of to those that
// the operation was registered with.
func (s *server) completeErrors(op *huma.Operation, t text) {
	common := commonErrors(op)
	for status, p := range common {
		if _, ok := t.errors[status]; !ok {
			op.Responses[strconv.Itoa(status)] = s.commonResponse(status, p)
		}
	}
	for status, p := range t.errors {
		p.when = cmp.Or(p.when, common[status].when)
		op.Responses[strconv.Itoa(status)] = s.errorResponse(status, p)
	}
}

// commonResponse is the answer to an error that many operations have. Where all
// of them say the same it is described once.
func (s *server) commonResponse(status int, p problemText) *huma.Response {
	response := s.errorResponse(status, p)
	switch status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return response
	}
	components := s.api.OpenAPI().Components
	if components.Responses == nil {
		components.Responses = map[string]*huma.Response{}
	}
	name := strings.ReplaceAll(http.StatusText(status), " ", "")
	components.Responses[name] = response
	return &huma.Response{Ref: "#/components/responses/" + name}
}

func (s *server) errorResponse(status int, p problemText) *huma.Response {
	example := problemOf(status, p.detail)
	example.Errors = p.fields
	return &huma.Response{
		Description: p.when,
		Headers:     errorHeaders(status),
		Content:     map[string]*huma.MediaType{problemType: {Schema: s.schemas().Schema(typeOf[Problem](), true, ""), Example: example}},
	}
}
