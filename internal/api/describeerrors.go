package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

// commonErrors are the errors that an operation has because of what it takes
// and who may use it.
func commonErrors(op *huma.Operation) map[int]problemText {
	errs := map[int]problemText{
		http.StatusTooManyRequests: {
			"API Gateway let no more requests through just now. Nothing was done: repeat the request after a while.",
			"too many requests: repeat it later",
		},
		http.StatusInternalServerError: {"Something went wrong on our side. It is logged there; the request can be repeated.", internalProblem().Detail},
	}
	if !op.SkipValidateParams {
		errs[http.StatusUnprocessableEntity] = problemText{invalidText(op), "the request is not valid"}
	}
	if takes(op, "query", "cursor") {
		errs[http.StatusBadRequest] = problemText{"The cursor cannot be read, or belongs to another list or other filters.", "the cursor belongs to another list"}
	}
	if op.RequestBody != nil && op.RequestBody.Content[csvType] == nil {
		errs[http.StatusBadRequest] = problemText{"The body is missing or is not JSON.", "a body is needed, and must be JSON"}
		errs[http.StatusRequestEntityTooLarge] = problemText{"The body is larger than 1 MiB.", "the body is larger than 1 MiB"}
		errs[http.StatusUnsupportedMediaType] = problemText{
			"The `Content-Type` is another than those described. A body without one is taken for JSON.",
			"the body's Content-Type must be application/json",
		}
	}
	if takes(op, "path", "id") {
		what := resourceOf(op)
		errs[http.StatusNotFound] = problemText{"There is no " + what + " with this id: there never was, or it is deleted.", "there is no " + what + " with this id"}
	}
	if takes(op, "header", "If-Match") {
		errs[http.StatusPreconditionFailed] = problemText{
			"The mailing's version is not the one that `If-Match` names. Nothing was changed: read it again, then repeat the change.",
			"it has been changed since this version was read: read it again, then repeat the change",
		}
	}
	if accessOf(*op) != everyone {
		errs[http.StatusUnauthorized] = problemText{"No key was sent, or it is not known.", "a valid key is needed"}
		errs[http.StatusServiceUnavailable] = problemText{
			"Keys cannot be checked at the moment. Nothing was done: repeat the request after a while.",
			"keys cannot be checked at the moment: repeat the request",
		}
	}
	if accessOf(*op) == mailing.Admin {
		errs[http.StatusForbidden] = problemText{"The key is a viewer's: it may read, but not do this.", "this needs an admin's key"}
	}
	return errs
}

func takes(op *huma.Operation, in, name string) bool {
	return slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == in && p.Name == name })
}

// resourceOf is what an id in the operation's path is one of.
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

func invalidText(op *huma.Operation) string {
	var parts []string
	if takes(op, "path", "id") {
		parts = append(parts, "The id is not an integer.")
	}
	parts = append(parts, "A query parameter is not described, is empty, is given twice, or has a value that it cannot have.")
	switch {
	case op.RequestBody == nil:
	case op.RequestBody.Content[csvType] != nil:
		parts = append(parts, "The file's first line does not name the columns.")
	default:
		parts = append(parts, "A field of the body is missing, unknown, or not as its schema says.")
	}
	return strings.Join(append(parts, "`errors` says which, all of them at once where possible."), " ")
}

// invalidExample is the first thing that can be wrong with a request.
func invalidExample(op *huma.Operation) []FieldError {
	switch {
	case op.RequestBody != nil && strings.HasPrefix(op.Path, mailingPath) && op.Method != http.MethodPost, op.Path == mailingsPath && op.Method == http.MethodPost:
		return []FieldError{{"body.end_at", "must be after start_at"}}
	case op.RequestBody != nil && op.RequestBody.Content[csvType] != nil:
		return []FieldError{{"body", "the first line must name the columns phone and, if wanted, operator_code, tag, timezone and id"}}
	case op.Path == mailingsPath+"/preview":
		return []FieldError{{"body.filter.operator_codes[0]", "expected string to be 3 digits"}}
	case op.RequestBody != nil:
		return []FieldError{{"body.phone", "expected string to be 11 digits that start with 7"}}
	case takes(op, "path", "id"):
		return []FieldError{{"path.id", notAnInteger}}
	case takes(op, "query", "limit"):
		return []FieldError{{"query.limit", "expected number <= 100"}}
	default:
		return []FieldError{{"query.limit", "there is no such key"}}
	}
}

// errorHeaders are what an error comes with besides its document.
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
