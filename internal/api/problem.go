package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"postrider/internal/mailing"
)

// problemType is the media type of a problem document.
const problemType = "application/problem+json"

// statusOf returns the HTTP status for a kind of error. This is the only table of
// them.
func statusOf(k mailing.Kind) int {
	switch k {
	case mailing.KindInvalid:
		return http.StatusUnprocessableEntity
	case mailing.KindMalformed:
		return http.StatusBadRequest
	case mailing.KindNotFound:
		return http.StatusNotFound
	case mailing.KindConflict:
		return http.StatusConflict
	case mailing.KindStale:
		return http.StatusPreconditionFailed
	case mailing.KindInternal:
	}
	return http.StatusInternalServerError
}

// Problem is a problem document (RFC 9457). It never repeats input and shows no
// internal detail.
type Problem struct { //nolint:errname // integrators know the schema by this name
	Title  string       `json:"title" example:"Unprocessable Entity" doc:"The meaning of the status."`
	Status int          `json:"status" example:"422" doc:"The HTTP status."`
	Detail string       `json:"detail,omitempty" example:"the client is not valid" doc:"The reason for the error."`
	Errors []FieldError `json:"errors,omitempty" nullable:"false" doc:"The invalid fields."`

	// header has the headers of the answer, never nil.
	header http.Header
}

// FieldError is one rule that one field of a request breaks.
type FieldError struct {
	Location string `json:"location" example:"body.phone" doc:"The place in the request."`
	Message  string `json:"message" example:"is required" doc:"The rule that the field breaks."`
}

// Error returns the text for logs.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// GetStatus returns the status, for huma.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the content type, for huma.
func (p *Problem) ContentType(string) string { return problemType }

// GetHeaders returns the headers of the answer, for huma.
func (p *Problem) GetHeaders() http.Header { return p.header }

// problemOf returns a problem without fields. Its title is the text of the status. It
// has the header that its status asks for: WWW-Authenticate for 401 (RFC 9110, 15.5.2),
// Retry-After in seconds for 503.
func problemOf(status int, detail string) *Problem {
	p := &Problem{Title: http.StatusText(status), Status: status, Detail: detail, header: http.Header{}}
	switch status {
	case http.StatusUnauthorized:
		p.header.Set("WWW-Authenticate", `Bearer realm="postrider"`)
	case http.StatusServiceUnavailable:
		p.header.Set("Retry-After", "1")
	}
	return p
}

// pathNotFound returns the answer for a path that the API does not have.
func pathNotFound() *Problem { return problemOf(http.StatusNotFound, "this path does not exist") }

// internalProblem returns the answer to errors that no input has caused.
func internalProblem() *Problem {
	return problemOf(http.StatusInternalServerError, "an internal error occurred; the request can be repeated")
}

// problem returns the answer to a handler's error. It logs an internal error,
// because the answer does not contain the cause.
func (s *server) problem(ctx context.Context, operation string, err error) error {
	var ready *Problem
	if errors.As(err, &ready) {
		return ready
	}
	var e *mailing.Error
	if !errors.As(err, &e) || e.Kind == mailing.KindInternal {
		s.log.LogAttrs(ctx, slog.LevelError, "request failed", slog.String("operation", operation), failure(ctx, err))
		return internalProblem()
	}
	return domainProblem(e)
}

// domainProblem returns the answer to an error of the domain.
func domainProblem(e *mailing.Error) *Problem {
	p := problemOf(statusOf(e.Kind), e.Message)
	p.Errors = each(e.Fields, fieldJSON)
	return p
}

// fieldJSON returns an error of the domain as answers have it.
func fieldJSON(f mailing.Field) FieldError { return FieldError(f) }

// newProblem returns the answer to a request that huma itself refuses. It replaces
// huma's own texts wherever they may repeat input.
func newProblem(status int, detail string, errs ...error) huma.StatusError {
	switch status {
	case http.StatusUnprocessableEntity:
		return invalid(invalidRequest, errs)
	case http.StatusBadRequest:
		return problemOf(status, unreadable(errs))
	case http.StatusRequestEntityTooLarge:
		return tooLarge(detail)
	}
	if status >= http.StatusInternalServerError {
		return internalProblem()
	}
	return problemOf(status, detail)
}

// Details of problems, and messages of fields.
const (
	invalidRequest = "the request is not valid"
	unknownKey     = "there is no such key"
	noBody         = "the request needs a body in JSON"
	notJSON        = "the body is not JSON: reading stopped at line %d, column %d"
)

// unreadable returns the detail for a body that is not valid JSON, with the place of
// the error. huma passes on the body but only a text of the error, so the body is
// parsed again to get the place.
func unreadable(errs []error) string {
	for _, err := range errs {
		var d *huma.ErrorDetail
		if !errors.As(err, &d) {
			continue
		}
		body, _ := d.Value.(string)
		var broken *json.SyntaxError
		if errors.As(json.Unmarshal([]byte(body), new(any)), &broken) && body != "" {
			lines := strings.Split(body[:broken.Offset], "\n")
			last := lines[len(lines)-1]
			return fmt.Sprintf(notJSON, len(lines), utf8.RuneCountInString(last))
		}
	}
	return noBody
}

// tooLarge returns the problem for a body that is too large. huma's text has the
// limit in bytes. It is one byte more than what is allowed, which the shift to MiB
// drops. Only files may have [MaxImport].
func tooLarge(detail string) *Problem {
	_, limit, _ := strings.Cut(detail, "limit=")
	var n int64
	if _, err := fmt.Sscanf(limit, "%d bytes", &n); err != nil {
		return problemOf(http.StatusRequestEntityTooLarge, "the body is too large")
	}
	if n == MaxImport+1 {
		return problemOf(http.StatusRequestEntityTooLarge, fileTooLarge)
	}
	return problemOf(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d MiB", n>>20))
}

// invalid returns a problem with the first error of each field, in the order of
// locations.
func invalid(detail string, errs []error) *Problem {
	p := problemOf(http.StatusUnprocessableEntity, detail)
	for _, err := range errs {
		var d *huma.ErrorDetail
		if errors.As(err, &d) {
			p.Errors = append(p.Errors, fieldError(d))
		}
	}
	slices.SortStableFunc(p.Errors, func(a, b FieldError) int { return cmp.Compare(a.Location, b.Location) })
	p.Errors = slices.CompactFunc(p.Errors, func(a, b FieldError) bool { return a.Location == b.Location })
	if len(p.Errors) > maxErrors {
		p.Errors, p.Detail = p.Errors[:maxErrors], p.Detail+", and there are more errors than are listed"
	}
	return p
}

// maxErrors is the number of errors that a problem document lists. A body of 1 MiB
// can have so many that the list would not fit into the 6 MB of a Lambda answer.
const maxErrors = 100

// fieldError returns an error of huma in our words, without the value.
func fieldError(d *huma.ErrorDetail) FieldError {
	f := FieldError{d.Location, d.Message}
	if name, ok := strings.CutPrefix(f.Message, "expected required property "); ok {
		name, _ = strings.CutSuffix(name, " to be present")
		return FieldError{f.Location + "." + name, "is required"}
	}
	switch {
	case f.Message == "unexpected property", f.Message == "unknown query parameter":
		f.Location, f.Message = ownKey(f.Location), unknownKey
	case strings.HasPrefix(f.Message, "must "):
		// The text comes from the schema, so it contains no input. Only Go's word
		// for null has to become JSON's.
		f.Message = strings.ReplaceAll(f.Message, "<nil>", "null")
	case f.Message == "invalid integer", strings.HasSuffix(f.Message, notAnInteger):
		f.Message = notAnInteger
	case strings.HasSuffix(f.Message, notABoolean):
		f.Message = notABoolean
	default:
		f.Message = "cannot be read"
	}
	return f
}

// keyLike matches locations whose parts look like keys, and not like data that was
// sent in the place of a key.
var keyLike = regexp.MustCompile(`^[a-z]+(\.[A-Za-z_]{1,32}|\[[0-9]{1,3}\]){1,6}$`)

// ownKey returns the location of an unknown key. If the key may be data of a
// person, it returns only the first part, such as body.
func ownKey(location string) string {
	if keyLike.MatchString(location) {
		return location
	}
	part, _, _ := strings.Cut(location, ".")
	return part
}

// writeProblem writes a problem as the answer, without huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	maps.Copy(w.Header(), p.header)
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) //nolint:errchkjson // the status is sent: an error cannot be reported any more
}

// replaceMessages replaces huma's messages for the rules of schemas by those of the
// domain, so that a rule has one text, no matter which layer finds it broken.
// Messages of huma that are not replaced here are not passed on, see [fieldError].
func replaceMessages() {
	validation.MsgExpectedString = "must be a string"
	validation.MsgExpectedInteger = notAnInteger
	validation.MsgExpectedNumber = "must be a number"
	validation.MsgExpectedBoolean = notABoolean
	validation.MsgExpectedArray = "must be a list"
	validation.MsgExpectedObject = "must be an object"
	validation.MsgExpectedOneOf = "must be one of %s"
	validation.MsgExpectedBePattern = "must be %s"
	validation.MsgExpectedRFC3339DateTime = "must be " + validTime
	validation.MsgExpectedMinLength = "must be %d or more characters"
	validation.MsgExpectedMaxLength = "must be at most %d characters"
	validation.MsgExpectedMinItems = "must be %d or more entries"
	validation.MsgExpectedMaxItems = "must be at most %d entries"
	validation.MsgExpectedMinimumNumber = "must be %v or more"
	validation.MsgExpectedMaximumNumber = "must be at most %v"
	validation.MsgExpectedNumberBeMultipleOf = "must be a multiple of %v"
}
