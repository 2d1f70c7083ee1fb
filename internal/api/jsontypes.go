package api

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

const (
	timeFormat = "2006-01-02T15:04:05.000Z"
	// aTime is what an instant must be.
	aTime = "a time with an offset, such as 2030-01-31T09:00:00+03:00"
)

// Time is an instant: written in UTC with milliseconds, read as RFC 3339 with
// any offset.
type Time time.Time

// MarshalJSON writes the instant.
func (t Time) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Time(t).UTC().Format(timeFormat))
}

// UnmarshalJSON reads the instant.
func (t *Time) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, (*time.Time)(t)) }

// Schema describes the instant. The pattern refuses what time.Parse takes
// though RFC 3339 does not.
func (Time) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type:               huma.TypeString,
		Format:             "date-time",
		Pattern:            `^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`,
		PatternDescription: aTime,
		Examples:           []any{"2030-01-31T09:00:00.000Z"},
	}
}

// Timezone is a name of the IANA database, in a request.
type Timezone string

// Resolve refuses what is no such name, together with whatever else is wrong
// with the request. Of an empty one its schema has said so already.
func (z *Timezone) Resolve(_ huma.Context, at *huma.PathBuffer) []error {
	if *z == "" {
		return nil
	}
	if _, err := mailing.Zone(string(*z)); err != nil {
		return []error{&huma.ErrorDetail{Location: at.String(), Message: mailing.ZoneRule}}
	}
	return nil
}

// PausedBy is why a mailing is paused, null while it is not.
type PausedBy string

// MarshalJSON writes null for "".
func (p PausedBy) MarshalJSON() ([]byte, error) {
	if p == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(p))
}

// Schema is the JSON Schema of the values and null.
func (PausedBy) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Nullable: true, Enum: []any{string(mailing.ByPerson), string(mailing.ByRejections), nil}}
}

// Schema describes the window. It stands in place, as a reference cannot be
// null.
func (Window) Schema(r huma.Registry) *huma.Schema {
	type plain Window
	s := huma.SchemaFromType(r, typeOf[plain]())
	s.Nullable = true
	return s
}

// ignored is a read-only field in a request: whatever it holds is not looked
// at, so that what was read can be written back.
type ignored struct{}

// UnmarshalJSON looks away.
func (*ignored) UnmarshalJSON([]byte) error { return nil }

// Schema describes anything. It does not say readOnly, which would forbid a
// request to have it.
func (ignored) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Description: "Given by the service. What a request says here is ignored, whatever it is, so that what was read can be written back."}
}
