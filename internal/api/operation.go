package api

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

// operation is one operation of the API: its route, its role, and its part of the
// description. Input and output follow from the types of its handler.
type operation struct {
	id, method, path string
	// role is the role that it needs. By default a GET needs a viewer, and every
	// other method an admin.
	role mailing.Role
	tag  string
	// summary is a heading, and about says what the operation does, in Markdown.
	summary, about string
	// success says what a success means, and status is its status: by default 200,
	// or 204 for an answer without a body.
	success string
	status  int
	// request and answer are examples of the bodies. They are values of the types
	// that the API reads and writes, so they change with the types.
	request, answer any
	// body describes a body that is not plain JSON, and answerType is the media
	// type of an answer that is not JSON.
	body       *huma.RequestBody
	answerType string
	maxBody    int64
	// errors are the errors that need another text than [commonErrors] has.
	errors map[int]errorText
	// links has the operations that take the id in the answer, each with the name
	// of the parameter that takes it.
	links map[string]string
	// anyQuery accepts unknown query parameters.
	anyQuery bool
}

// errorText says when an error happens, and has an example of it: its detail and
// fields.
type errorText struct {
	when, detail string
	fields       []FieldError
}

// register adds an operation to the API and to its description. Errors of do become
// problem documents.
//
// It limits the body to [MaxBody] unless the operation has its own limit. huma
// refuses a body of just the limit, hence the one byte more.
func register[I, O any](s *server, op operation, do func(context.Context, *I) (*O, error)) {
	if op.role == "" {
		op.role = mailing.Admin
		if op.method == http.MethodGet {
			op.role = mailing.Viewer
		}
	}
	s.allow(op.method, op.path, op.role)
	h := huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path, Tags: []string{op.tag}, Summary: op.summary,
		Description:   op.about,
		DefaultStatus: op.status, RequestBody: op.body, MaxBodyBytes: cmp.Or(op.maxBody, MaxBody) + 1,
		SkipValidateParams: op.anyQuery,
		Errors:             []int{http.StatusInternalServerError}, // without any error huma would add a default response
	}
	if op.answerType != "" {
		h.Responses = map[string]*huma.Response{strconv.Itoa(cmp.Or(op.status, http.StatusOK)): {
			Content: map[string]*huma.MediaType{op.answerType: {Schema: &huma.Schema{Type: huma.TypeString}}},
		}}
	}
	huma.Register(s.api, h, func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, s.problem(ctx, op.id, err)
		}
		return out, nil
	})
	s.describe(s.registered(op.method, op.path), op)
}

// registered returns the operation that huma has registered for a route.
func (s *server) registered(method, path string) *huma.Operation {
	item := s.api.OpenAPI().Paths[path]
	return map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put,
		http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
	}[method]
}

// commonErrors returns the errors that follow from the input of an operation and
// from the role that it needs, by status.
func commonErrors(op *huma.Operation, role mailing.Role) map[int]errorText {
	errs := map[int]errorText{
		http.StatusTooManyRequests: {
			when: "API Gateway accepts no more requests at the moment. Nothing was done. Repeat the request " +
				"later.",
			detail: "too many requests; repeat the request later",
		},
		http.StatusInternalServerError: {
			when:   "An error of the service. It is logged. The request can be repeated.",
			detail: internalProblem().Detail,
		},
	}
	if !op.SkipValidateParams {
		errs[http.StatusUnprocessableEntity] = errorText{invalidText(op), invalidRequest, invalidExample(op)}
	}
	if takes(op, "query", "cursor") {
		errs[http.StatusBadRequest] = errorText{
			when:   "The cursor cannot be read, or it belongs to another list or to other filters.",
			detail: "the cursor cannot be read",
		}
	}
	if op.RequestBody != nil && op.RequestBody.Content[csvType] == nil {
		maps.Copy(errs, bodyErrors(op.RequestBody))
	}
	if takes(op, "path", "id") {
		what := resourceOf(op)
		errs[http.StatusNotFound] = errorText{
			when:   "There is no " + what + " with this id: it never existed or is deleted.",
			detail: "there is no " + what + " with this id",
		}
	}
	if takes(op, "header", "If-Match") {
		errs[http.StatusPreconditionFailed] = errorText{
			when: "The version of the mailing is not the one in `If-Match`, or `If-Match` has only weak tags or tags of " +
				"others; the detail says which. Nothing was changed. Read the mailing again, then repeat the change.",
			detail: mailing.Stale().Error(),
		}
	}
	if role != everyone {
		errs[http.StatusUnauthorized] = errorText{when: "The request has no key, or an unknown one.", detail: keyNeeded}
		errs[http.StatusServiceUnavailable] = keysUnreadableText()
	}
	if role == mailing.Admin {
		errs[http.StatusForbidden] = errorText{
			when: "The role of the key is viewer, and the operation needs an admin. Or a page of another site has " +
				"made the request with a session.",
			detail: adminNeeded,
		}
	}
	return errs
}

// foreignPageText returns the text for 403 of an operation that needs no admin and is no
// GET.
func foreignPageText(when string) errorText { return errorText{when: when, detail: foreignPage} }

// keysUnreadableText returns the text for 503 while keys cannot be read.
func keysUnreadableText() errorText {
	return errorText{
		when:   "Keys cannot be checked at the moment. Nothing was done. Repeat the request later.",
		detail: keysUnreadable,
	}
}

// bodyErrors returns the errors of a request with a body in JSON.
func bodyErrors(body *huma.RequestBody) map[int]errorText {
	refused := fmt.Sprintf(" Or it has a key twice in one object, or is too deep: objects and lists may be %d inside of each other.",
		maxDepth)
	unreadable := errorText{when: "The body is missing or is not JSON." + refused, detail: noBody}
	if !body.Required {
		unreadable = errorText{when: "The body is not JSON." + refused, detail: fmt.Sprintf(notJSON, 1, 1)}
	}
	return map[int]errorText{
		http.StatusBadRequest: unreadable,
		http.StatusRequestEntityTooLarge: {
			when: "The body is larger than 1 MiB.", detail: "the body is larger than 1 MiB",
		},
		http.StatusUnsupportedMediaType: {
			when:   "The `Content-Type` is not one of those described. A body without one is read as JSON.",
			detail: bodyTypes(body),
		},
	}
}

// takes reports whether an operation has the parameter. in is path, query or
// header.
func takes(op *huma.Operation, in, name string) bool {
	return slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == in && p.Name == name })
}

// resourceOf returns the kind of resource that the id in the path of an operation
// names.
func resourceOf(op *huma.Operation) string {
	switch {
	case strings.HasPrefix(op.Path, clientPath):
		return "client"
	case strings.HasPrefix(op.Path, mailingPath):
		return "mailing"
	default:
		return "message"
	}
}

// invalidText returns the text for 422: the ways in which the input of an operation
// can be invalid.
func invalidText(op *huma.Operation) string {
	var parts []string
	if takes(op, "path", "id") {
		parts = append(parts, "The id is not an integer.")
	}
	parts = append(parts, "A query parameter is unknown, empty, repeated, or has an invalid value.")
	if takes(op, "header", "If-Match") {
		parts = append(parts, "`If-Match` is not an ETag in quotes.")
	}
	if takes(op, "header", "If-None-Match") {
		parts = append(parts, "`If-None-Match` is not an ETag in quotes.")
	}
	if op.RequestBody != nil {
		parts = append(parts, "A field of the body is missing, unknown or invalid.")
	}
	return strings.Join(append(parts, "`errors` lists the invalid fields, all of them where possible."), " ")
}

// invalidExample returns an example of an error in the input of a request.
func invalidExample(op *huma.Operation) []FieldError {
	switch {
	case op.RequestBody != nil:
		return []FieldError{{"body.no_such_key", unknownKey}}
	case takes(op, "path", "id"):
		return []FieldError{{"path.id", notAnInteger}}
	default:
		return []FieldError{{"query.no_such_key", unknownKey}}
	}
}
