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

// conventions is the text about all operations, at the head of the description.
//
//go:embed conventions.md
var conventions string

// text is the part of an operation's description that does not follow from its
// types.
type text struct {
	// about says what the operation does, and done what its success means.
	about, done string
	// asked and given are examples of the bodies. They are values of the types that
	// the API reads and writes, so they change with the types.
	asked, given any
	// errors are the errors that need another text than [commonErrors] has.
	errors map[int]problemText
	// links has the operations that take the id in the answer, each with the name
	// of the parameter that takes it.
	links map[string]string
}

// problemText says when an error happens, and has an example of it. An empty when
// stands for the common text of the status.
type problemText struct {
	when, detail string
	fields       []FieldError
}

func told(when, detail string, fields ...FieldError) problemText {
	return problemText{when, detail, fields}
}

// complete adds texts, examples and security to the description, once all
// operations are registered. An operation without a text stays bare, and a test
// fails.
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

// operationsOf returns the operations of a path.
func operationsOf(item *huma.PathItem) []*huma.Operation {
	all := []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete}
	return slices.DeleteFunc(all, func(op *huma.Operation) bool { return op == nil })
}

// completeOperation adds an operation's texts, examples, errors and links.
func (s *server) completeOperation(op *huma.Operation, t text) {
	op.Description = t.about
	if accessOf(*op) == everyone {
		// An empty list, unlike none, overrides the security of the whole
		// description.
		op.Security = []map[string][]string{}
	}
	for _, p := range op.Parameters {
		completeParam(op, p)
	}
	if op.RequestBody != nil {
		for _, content := range op.RequestBody.Content {
			content.Example = t.asked
			// The schema of a patch has its nulls already, see [Patch.Schema].
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

// tellNull marks the properties of a request's schema for which huma accepts null:
// those that may be left out. It follows references and lists, down to all nested
// objects.
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

// completeErrors describes the operation's errors: those that follow from its
// input, and those that it has a text for. Errors that the operation was registered
// with and that neither has a text for stay as they are.
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

// commonResponse returns the response for an error that many operations have. If
// the text is the same for all of them, the response is a reference to one
// component. The statuses of the first case have texts that depend on the
// operation.
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

// errorResponse returns the response for an error, with a problem document as its
// example.
func (s *server) errorResponse(status int, p problemText) *huma.Response {
	example := problemOf(status, p.detail)
	example.Errors = p.fields
	return &huma.Response{
		Description: p.when,
		Headers:     errorHeaders(status),
		Content:     map[string]*huma.MediaType{problemType: {Schema: s.schemas().Schema(typeOf[Problem](), true, ""), Example: example}},
	}
}
