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

// Error returns the text for logs.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// GetStatus returns the status, for huma.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the content type, for huma.
func (p *Problem) ContentType(string) string { return problemType }

// problemOf returns a problem without fields. Its title is the status' own.
func problemOf(status int, detail string) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail}
}

// internalProblem returns the answer to errors that no input has caused.
func internalProblem() *Problem {
	return problemOf(http.StatusInternalServerError, "something went wrong on our side; the request can be repeated")
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

// newProblem returns the answer to a request that huma itself refuses. It replaces
// huma's own texts wherever they may repeat input.
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

// unreadable returns how far the body is valid JSON. huma passes on the body but
// only a text of the error, so the body is parsed again to get the offset.
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
// drops.
func tooLarge(detail string) *Problem {
	_, limit, _ := strings.Cut(detail, "limit=")
	var n int64
	if _, err := fmt.Sscanf(limit, "%d bytes", &n); err != nil {
		return problemOf(http.StatusRequestEntityTooLarge, "the body is too large")
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
		p.Errors, p.Detail = p.Errors[:maxErrors], p.Detail+", and more is wrong than is listed"
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
		f.Location, f.Message = ownKey(f.Location), "there is no such key"
	case strings.HasPrefix(f.Message, "must "):
		// The text comes from the schema, so it contains no input. Only Go's word
		// for null has to become JSON's.
		f.Message = strings.ReplaceAll(f.Message, "<nil>", "null")
	case f.Message == "invalid integer", strings.HasSuffix(f.Message, notAnInteger):
		f.Message = notAnInteger
	default:
		f.Message = "cannot be read"
	}
	return f
}

// keyLike matches locations whose parts look like keys, and not like data in the
// place of a key.
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

// writeProblem writes an answer where huma does not.
func writeProblem(w http.ResponseWriter, p *Problem) {
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) //nolint:errchkjson // the status is sent: an error cannot be reported any more
}
