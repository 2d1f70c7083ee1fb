package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

const problemType = "application/problem+json"

// statusOf is the one table from what went wrong to what is answered.
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

// Problem is a problem document (RFC 9457). It never repeats what was sent and
// shows nothing of the inside.
type Problem struct { //nolint:errname // integrators know the schema by this name
	Title  string       `json:"title" example:"Unprocessable Entity" doc:"What the status means."`
	Status int          `json:"status" example:"422" doc:"The HTTP status."`
	Detail string       `json:"detail,omitempty" example:"the client is not valid" doc:"What is wrong this time."`
	Errors []FieldError `json:"errors,omitempty" nullable:"false" doc:"The fields that are wrong."`
}

// FieldError is one rule that one field of a request breaks.
type FieldError struct {
	Location string `json:"location" example:"body.phone" doc:"Where in the request."`
	Message  string `json:"message" example:"is required" doc:"What would be right."`
}

// Error is for logs.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// GetStatus tells huma the status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType tells huma the content type.
func (p *Problem) ContentType(string) string { return problemType }

func problemOf(status int, detail string) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail}
}

// internalProblem is the answer to everything that is nobody's input's fault.
func internalProblem() *Problem {
	return problemOf(http.StatusInternalServerError, "something went wrong on our side; the request can be repeated")
}

// problem is the answer to a handler's error. The cause of an internal one is
// logged, as it is the only trace of it.
func (s *server) problem(ctx context.Context, operation string, err error) error {
	var ready *Problem
	if errors.As(err, &ready) {
		return ready
	}
	var e *mailing.Error
	if !errors.As(err, &e) || e.Kind == mailing.KindInternal {
		s.Log.LogAttrs(ctx, slog.LevelError, "request failed", slog.String("operation", operation),
			slog.String("request_id", requestID(ctx)), slog.String("error", err.Error()))
		return internalProblem()
	}
	p := problemOf(statusOf(e.Kind), e.Message)
	for _, f := range e.Fields {
		p.Errors = append(p.Errors, FieldError{f.Location, f.Message})
	}
	return p
}

// newProblem is the answer to what huma itself refuses. huma's own texts are
// replaced wherever they may repeat input.
func newProblem(status int, detail string, errs ...error) huma.StatusError {
	switch status {
	case http.StatusUnprocessableEntity:
		return invalid("the request is not valid", errs)
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

const (
	noBody  = "a body is needed, and must be JSON"
	notJSON = "the body is not JSON: it was read up to line %d, column %d"
)

// unreadable says how far a body is JSON. huma tells of it the body, and of what
// is wrong with it no more than a text.
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

// tooLarge says how large a body may be, which huma says as one byte more.
func tooLarge(detail string) *Problem {
	_, limit, _ := strings.Cut(detail, "limit=")
	var n int64
	if _, err := fmt.Sscanf(limit, "%d bytes", &n); err != nil {
		return problemOf(http.StatusRequestEntityTooLarge, "the body is too large")
	}
	return problemOf(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d MiB", n>>20))
}

// invalid lists, in the order of locations, the first thing that is wrong with
// each field.
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
		p.Errors, p.Detail = p.Errors[:maxErrors], p.Detail+", and more is wrong than is listed"
	}
	return p
}

// maxErrors is how many fields a problem document lists: a body of 1 MiB can be
// wrong in more places than Lambda's 6 MB can name.
const maxErrors = 100

// fieldError says in our words what huma found, without the value.
func fieldError(d *huma.ErrorDetail) FieldError {
	f := FieldError{d.Location, d.Message}
	if name, ok := strings.CutPrefix(f.Message, "expected required property "); ok {
		name, _ = strings.CutSuffix(name, " to be present")
		return FieldError{f.Location + "." + name, "is required"}
	}
	switch {
	case f.Message == "unexpected property", f.Message == "unknown query parameter":
		f.Location, f.Message = ownKey(f.Location), "there is no such key"
	case strings.HasPrefix(f.Message, "must "):
		// What the schema says: it knows no value. Go's word for null is not JSON's.
		f.Message = strings.ReplaceAll(f.Message, "<nil>", "null")
	case f.Message == "invalid integer", strings.HasSuffix(f.Message, notAnInteger):
		f.Message = notAnInteger
	default:
		f.Message = "cannot be read"
	}
	return f
}

// keyLike is what a mistyped key looks like, as opposed to data in its place.
var keyLike = regexp.MustCompile(`^[a-z]+(\.[A-Za-z_]{1,32}|\[[0-9]{1,3}\]){1,6}$`)

// ownKey is the location of a key that we do not know, or of what it stands in
// if the key may be somebody's data.
func ownKey(location string) string {
	if keyLike.MatchString(location) {
		return location
	}
	part, _, _ := strings.Cut(location, ".")
	return part
}

// writeProblem answers outside of huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) //nolint:errchkjson // the status is out: there is nobody left to tell
}
