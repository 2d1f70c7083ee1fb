package api

import (
	"errors"
	"math"
	"net/http"
	"regexp"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

const notAnInteger = "must be an integer"

// integer matches integers of any length.
var integer = regexp.MustCompile(`^-?[0-9]+$`)

// idParam is an id in a path or a query. Any integer is accepted. An integer that
// is no possible id, for example a very long one, is the id of no resource; it
// never becomes the id of another resource by overflow.
type idParam struct {
	n     int64
	given bool
}

// UnmarshalText reads the id.
func (p *idParam) UnmarshalText(b []byte) error {
	if !integer.Match(b) {
		return errors.New(notAnInteger)
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		n = 0 // the number is too long: no resource has it
	}
	p.n, p.given = n, true
	return nil
}

// Schema describes the id as text, as it is in a request. idDoc replaces this in
// the description for people.
func (idParam) Schema(huma.Registry) *huma.Schema { return &huma.Schema{Type: huma.TypeString} }

// idDoc returns the description of an id parameter as an integer. in is path or
// query.
func idDoc(in, name, what string) *huma.Param {
	one := 1.0
	return &huma.Param{
		Name: name, In: in, Required: in == "path", Description: what,
		Schema: &huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: &one},
	}
}

// client returns the id as a client's, or not found if no client can have it.
func (p idParam) client() (mailing.ClientID, error) {
	if !p.isClient() {
		return 0, mailing.NotFound("client")
	}
	return mailing.ClientID(p.n), nil //nolint:gosec // G115: isClient bounds it
}

// isClient reports whether a client can have this id: 1 to 2^32 - 1.
func (p idParam) isClient() bool { return p.n > 0 && p.n <= math.MaxUint32 }

// mailing returns the id as a mailing's, or not found if no mailing can have it.
func (p idParam) mailing() (mailing.ID, error) {
	if p.n <= 0 || p.n > int64(mailing.MaxID) {
		return 0, mailing.NotFound("mailing")
	}
	return mailing.ID(p.n), nil
}

// message returns the id as a message's, or not found if no message can have it.
func (p idParam) message() (mailing.MessageID, error) {
	id := mailing.MessageID(p.n)
	if !id.Valid() {
		return 0, mailing.NotFound("message")
	}
	return id, nil
}

// Paging is the input of all lists.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many at most."`
	Cursor string `query:"cursor" format:"cursor" doc:"next_cursor of the page before, with the same filters; nothing else can be used. Empty or left out is the first page."`
}

// statusParam is the status of a mailing in a query, "" for all.
type statusParam string

// Schema lists the statuses.
func (statusParam) Schema(huma.Registry) *huma.Schema { return enum(mailing.Statuses) }

// messageStatusParam is the status of a message in a query, "" for all.
type messageStatusParam string

// Schema lists the statuses.
func (messageStatusParam) Schema(huma.Registry) *huma.Schema { return enum(mailing.MessageStatuses) }

// enum returns the schema of a string that has one of the values.
func enum[S ~string](values []S) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	return s
}

// operation returns an operation of a resource. errs are the error statuses that
// huma does not add by itself, as it adds 422 and 500.
func operation(id, method, path, tag, summary string, errs ...int) huma.Operation {
	op := huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary, Errors: errs}
	if len(errs) == 0 {
		op.Errors = []int{http.StatusInternalServerError}
	}
	return op
}
