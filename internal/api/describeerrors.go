package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

// commonErrors returns the errors that follow from an operation's input and from
// the role that it needs, by status.
func commonErrors(op *huma.Operation) map[int]problemText {
	errs := map[int]problemText{
		http.StatusTooManyRequests: told("API Gateway let no more requests through just now. Nothing was done: repeat the request after a while.",
			"too many requests: repeat it later"),
		http.StatusInternalServerError: told("Something went wrong on our side. It is logged there; the request can be repeated.", internalProblem().Detail),
	}
	if !op.SkipValidateParams {
		errs[http.StatusUnprocessableEntity] = told(invalidText(op), "the request is not valid", invalidExample(op)...)
	}
	if takes(op, "query", "cursor") {
		errs[http.StatusBadRequest] = told("The cursor cannot be read, or belongs to another list or other filters.", "the cursor cannot be read")
	}
	if op.RequestBody != nil && op.RequestBody.Content[csvType] == nil {
		errs[http.StatusBadRequest] = told("The body is missing or is not JSON.", noBody)
		if !op.RequestBody.Required {
			errs[http.StatusBadRequest] = told("The body is not JSON.", fmt.Sprintf(notJSON, 1, 1))
		}
		errs[http.StatusRequestEntityTooLarge] = told("The body is larger than 1 MiB.", "the body is larger than 1 MiB")
		errs[http.StatusUnsupportedMediaType] = told("The `Content-Type` is another than those described. A body without one is taken for JSON.", typesTaken(op.RequestBody))
	}
	if takes(op, "path", "id") {
		what := resourceOf(op)
		errs[http.StatusNotFound] = told("There is no "+what+" with this id: there never was, or it is deleted.", "there is no "+what+" with this id")
	}
	if takes(op, "header", "If-Match") {
		errs[http.StatusPreconditionFailed] = told("The mailing's version is not the one that `If-Match` names. Nothing was changed: read it again, then repeat the change.",
			"it has been changed since this version was read: read it again, then repeat the change")
	}
	if accessOf(*op) != everyone {
		errs[http.StatusUnauthorized] = told("No key was sent, or it is not known.", keyNeeded)
		errs[http.StatusServiceUnavailable] = told("Keys cannot be checked at the moment. Nothing was done: repeat the request after a while.", keysUnreadable)
	}
	if accessOf(*op) == mailing.Admin {
		errs[http.StatusForbidden] = told("The key is a viewer's: it may read, but not do this.", adminNeeded)
	}
	return errs
}

// takes reports whether an operation has the parameter. in is path, query or
// header.
func takes(op *huma.Operation, in, name string) bool {
	return slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == in && p.Name == name })
}

// resourceOf returns the kind of resource that the id in the operation's path
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

// invalidText returns the text for 422: the ways in which the operation's input can
// be invalid.
func invalidText(op *huma.Operation) string {
	var parts []string
	if takes(op, "path", "id") {
		parts = append(parts, "The id is not an integer.")
	}
	parts = append(parts, "A query parameter is not described, is empty, is given twice, or has a value that it cannot have.")
	if takes(op, "header", "If-Match") {
		parts = append(parts, "`If-Match` is no ETag with its quotes.")
	}
	if op.RequestBody != nil {
		parts = append(parts, "A field of the body is missing, unknown, or not as its schema says.")
	}
	return strings.Join(append(parts, "`errors` says which, all of them at once where possible."), " ")
}

// invalidExample returns an example of an error in the input of a request.
func invalidExample(op *huma.Operation) []FieldError {
	switch {
	case op.RequestBody != nil:
		return []FieldError{{"body.no_such_key", "there is no such key"}}
	case takes(op, "path", "id"):
		return []FieldError{{"path.id", notAnInteger}}
	default:
		return []FieldError{{"query.no_such_key", "there is no such key"}}
	}
}

// errorHeaders returns the headers that an answer with this error status has.
func errorHeaders(status int) map[string]*huma.Header {
	header := func(name, doc, example string) map[string]*huma.Header {
		return map[string]*huma.Header{name: {Description: doc, Schema: &huma.Schema{Type: huma.TypeString}, Example: example}}
	}
	switch status {
	case http.StatusUnauthorized:
		return header("WWW-Authenticate", "How to send a key.", `Bearer realm="postrider"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return header("Retry-After", "After how many seconds to repeat the request; it may be left out.", "1")
	default:
		return nil
	}
}
