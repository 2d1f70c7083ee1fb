package api

import (
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

// The types of this file are values that several bodies and parameters have. Each
// has its schema, so that a rule is written once.

// Phone is the phone of a client or of a test.
type Phone string

// Schema describes the phone.
func (Phone) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString, Pattern: "^7[0-9]{10}$", PatternDescription: "11 digits that start with 7",
		Examples: []any{"79001234567"},
	}
}

// OperatorCode is the code of a mobile operator.
type OperatorCode string

// Schema describes the code.
func (OperatorCode) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9]{3}$", PatternDescription: "3 digits", Examples: []any{"900"}}
}

// OperatorCodes are the codes of a filter.
type OperatorCodes []string

// Schema describes the list. The example is one of the list, not of its items.
func (OperatorCodes) Schema(r huma.Registry) *huma.Schema {
	one := OperatorCode("").Schema(r)
	one.Examples = nil
	most := mailing.MaxFilterValues
	return &huma.Schema{Type: huma.TypeArray, Items: one, MaxItems: &most, Examples: []any{[]string{"900"}}}
}

// Timezone is the name of a zone of the IANA database.
type Timezone string

// Schema describes the name.
func (Timezone) Schema(huma.Registry) *huma.Schema {
	least := 1
	return &huma.Schema{Type: huma.TypeString, Format: "iana-timezone", MinLength: &least, Examples: []any{"Europe/Moscow"}}
}

// Resolve refuses a name that the database does not have. The error is reported
// together with the other errors of the request. The schema has refused an empty
// name already.
func (z Timezone) Resolve(_ huma.Context, at *huma.PathBuffer) []error {
	if z == "" {
		return nil
	}
	if _, err := mailing.Zone(string(z)); err != nil {
		return []error{&huma.ErrorDetail{Location: at.String(), Message: mailing.ZoneRule}}
	}
	return nil
}

const (
	// timeFormat is the form of instants in answers, to be used in UTC.
	timeFormat = "2006-01-02T15:04:05.000Z"
	// validTime describes a valid instant, for error messages.
	validTime = "a time with an offset, such as 2030-01-31T09:00:00+03:00"
)

// Time is an instant. It is written in UTC with milliseconds, and read as RFC 3339
// with any offset.
type Time time.Time

// String returns the instant as JSON has it, without the quotes.
func (t Time) String() string { return time.Time(t).UTC().Format(timeFormat) }

// MarshalJSON writes the instant.
func (t Time) MarshalJSON() ([]byte, error) { return json.Marshal(t.String()) }

// UnmarshalJSON reads the instant.
func (t *Time) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, (*time.Time)(t)) }

// Schema describes the instant. The pattern refuses forms that time.Parse accepts
// although RFC 3339 does not allow them.
func (Time) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type:               huma.TypeString,
		Format:             "date-time",
		Pattern:            `^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`,
		PatternDescription: validTime,
		Examples:           []any{"2030-01-31T09:00:00.000Z"},
	}
}

// ClockTime is a local time of day.
type ClockTime string

// Schema describes the time.
func (ClockTime) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString, Pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$", PatternDescription: "a time as HH:MM",
	}
}

// Status is the status of a mailing. In a query, "" stands for all statuses.
type Status string

// Schema lists the statuses.
func (Status) Schema(huma.Registry) *huma.Schema { return enum(mailing.Statuses) }

// MessageStatus is the status of a message. In a query, "" stands for all statuses.
type MessageStatus string

// Schema lists the statuses.
func (MessageStatus) Schema(huma.Registry) *huma.Schema { return enum(mailing.MessageStatuses) }

// enum returns the schema of a string that has one of the values.
func enum[S ~string](values []S) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	return s
}

// ClientID is the id of a client in a body.
type ClientID int64

// MailingID is the id of a mailing in a body.
type MailingID int64

// MessageID is the id of a message in a body. The largest id is the largest integer
// that JavaScript represents exactly.
type MessageID int64

// Schema describes the id.
func (ClientID) Schema(huma.Registry) *huma.Schema { return idSchema(math.MaxUint32) }

// Schema describes the id.
func (MailingID) Schema(huma.Registry) *huma.Schema { return idSchema(float64(mailing.MaxID)) }

// Schema describes the id.
func (MessageID) Schema(huma.Registry) *huma.Schema { return idSchema(1<<53 - 1) }

// idSchema returns the schema of an id of at least 1.
func idSchema(highest float64) *huma.Schema {
	lowest := 1.0
	return &huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: &lowest, Maximum: &highest}
}

const notAnInteger = "must be an integer"

// integer matches integers of any length.
var integer = regexp.MustCompile(`^-?[0-9]+$`)

// idParam is an id in a path or a query. Any integer is accepted. An integer that
// is no possible id, for example a very long one, is the id of no resource. It
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

// Schema describes the id as text, as huma reads it. [describeParam] replaces this
// in the description.
func (idParam) Schema(huma.Registry) *huma.Schema { return &huma.Schema{Type: huma.TypeString} }

// client returns the id as that of a client, or not found if no client can have it.
func (p idParam) client() (mailing.ClientID, error) {
	if p.n <= 0 || p.n > math.MaxUint32 {
		return 0, mailing.NotFound("client")
	}
	return mailing.ClientID(p.n), nil
}

// mailing returns the id as that of a mailing, or not found if no mailing can have
// it.
func (p idParam) mailing() (mailing.ID, error) {
	if p.n <= 0 || p.n > int64(mailing.MaxID) {
		return 0, mailing.NotFound("mailing")
	}
	return mailing.ID(p.n), nil
}

// message returns the id as that of a message, or not found if no message can have
// it.
func (p idParam) message() (mailing.MessageID, error) {
	id := mailing.MessageID(p.n)
	if !id.Valid() {
		return 0, mailing.NotFound("message")
	}
	return id, nil
}

const notABoolean = "must be true or false"

// flag is a parameter that is true or false, and false by default.
type flag struct{ on bool }

// UnmarshalText reads the flag. Other texts that Go takes for a boolean are refused, since
// they are none in JSON.
func (f *flag) UnmarshalText(b []byte) error {
	f.on = string(b) == "true"
	if !f.on && string(b) != "false" {
		return errors.New(notABoolean)
	}
	return nil
}

// Schema describes the flag as text, as huma reads it. [describeParam] replaces this in
// the description.
func (flag) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, MinLength: new(1)}
}

// ignored is a read-only field in a request. Its value is not looked at, so that a
// caller may send back a resource as it was read.
type ignored struct{}

// UnmarshalJSON accepts any value.
func (*ignored) UnmarshalJSON([]byte) error { return nil }

// Schema describes any value. It does not set readOnly, because then a request with
// the field would be refused.
func (ignored) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "Set by the service. Any value in a request is ignored, so that a resource can be sent back " +
			"as it was read.",
	}
}

// Cursor is the position after a page of a list, in answers.
type Cursor string

// Schema describes the cursor.
func (Cursor) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString, Format: "cursor",
		Description: "The value of the parameter `cursor` for the next page. The last page does not have it.",
	}
}

// Paging is the input of lists.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"The maximum number of items."`
	Cursor string `query:"cursor" format:"cursor" doc:"The next_cursor of the previous page, with the same filters. No other value is accepted. If it is empty or left out, the answer is the first page."`
}

// List is one page. A page without next_cursor is the last one.
type List[T any] struct {
	Items      []T    `json:"items" nullable:"false"`
	NextCursor Cursor `json:"next_cursor,omitempty"`
}

// listJSON returns a page as answers have it. one converts an item.
func listJSON[D, J any](l mailing.List[D], one func(D) J) List[J] {
	return List[J]{Items: each(l.Items, one), NextCursor: Cursor(l.Next)}
}

// each returns the converted items. The result is never nil, so that an empty list
// is [] in JSON.
func each[D, J any](ds []D, one func(D) J) []J {
	js := make([]J, 0, len(ds))
	for _, d := range ds {
		js = append(js, one(d))
	}
	return js
}

// thousandths returns x rounded to three decimals.
func thousandths(x float64) float64 { return math.Round(x*1000) / 1000 }

// exampleAt returns an instant of the examples, in minutes after 9:00. All examples
// are about one client, one mailing, which is created at 0, and its message.
func exampleAt(minutes int) Time {
	return Time(time.Date(2030, time.March, 1, 9, minutes, 0, 0, time.UTC))
}
