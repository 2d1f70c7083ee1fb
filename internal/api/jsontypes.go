package api

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

const (
	// timeFormat is the form of instants in answers, to be used in UTC.
	timeFormat = "2006-01-02T15:04:05.000Z"
	// aTime describes a valid instant, for error messages.
	aTime = "a time with an offset, such as 2030-01-31T09:00:00+03:00"
)

// Time is an instant. It is written in UTC with milliseconds, and read as RFC 3339
// with any offset.
type Time time.Time

// MarshalJSON writes the instant.
func (t Time) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Time(t).UTC().Format(timeFormat))
}

// UnmarshalJSON reads the instant.
func (t *Time) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, (*time.Time)(t)) }

// Schema describes the instant. The pattern refuses forms that time.Parse accepts
// although RFC 3339 does not allow them.
func (Time) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type:               huma.TypeString,
		Format:             "date-time",
		Pattern:            `^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`,
		PatternDescription: aTime,
		Examples:           []any{"2030-01-31T09:00:00.000Z"},
	}
}

// Timezone is the name of a zone of the IANA database, in a request.
type Timezone string

// Resolve refuses a name that the database does not have. The error is reported
// together with the other errors of the request. The schema has refused an empty
// name already.
func (z *Timezone) Resolve(_ huma.Context, at *huma.PathBuffer) []error {
	if *z == "" {
		return nil
	}
	if _, err := mailing.Zone(string(*z)); err != nil {
		return []error{&huma.ErrorDetail{Location: at.String(), Message: mailing.ZoneRule}}
	}
	return nil
}

// PausedBy is the reason for a pause, null while the mailing is not paused.
type PausedBy string

// MarshalJSON writes null for "".
func (p PausedBy) MarshalJSON() ([]byte, error) {
	if p == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(p))
}

// Schema describes the reasons and null.
func (PausedBy) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Nullable: true, Enum: []any{string(mailing.ByPerson), string(mailing.ByRejections), nil}}
}

// Schema describes the window in place, as a reference to a schema cannot be null.
func (Window) Schema(r huma.Registry) *huma.Schema {
	// plain has no Schema method, which would be called again without end.
	type plain Window
	s := huma.SchemaFromType(r, typeOf[plain]())
	s.Nullable = true
	return s
}

// ignored is a read-only field in a request. Its value is not looked at, so that a
// client may send back what it has read.
type ignored struct{}

// UnmarshalJSON accepts any value.
func (*ignored) UnmarshalJSON([]byte) error { return nil }

// Schema describes any value. It does not set readOnly, because then a request with
// the field would be refused.
func (ignored) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Description: "Given by the service. What a request says here is ignored, whatever it is, so that what was read can be written back."}
}
