package dynamo

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"

	"postrider/internal/mailing"
)

// cursor is a position in one list. Callers of the API do not interpret it. A cursor
// names its list and the filters, so that it cannot silently continue another list. It
// does not name the limit, which may differ from page to page.
type cursor struct {
	List     string          `json:"l"`
	Position json.RawMessage `json:"p"`
}

// position is the place in a list at which the next page begins.
type position interface {
	// valid reports whether a list can have this position. The position comes from a
	// caller of the API, so it may have any value.
	valid() bool
}

// listKey returns the name of a list with its filters. It is a hash, so that a cursor
// does not reveal what was searched for.
func listKey(list string, filters ...any) string {
	h := fnv.New64a()
	full := fmt.Appendf(nil, "%q", list)
	for _, f := range filters {
		full = fmt.Appendf(full, " %q", fmt.Sprint(f))
	}
	h.Write(full) // a hash never returns an error
	return fmt.Sprintf("%016x", h.Sum64())
}

// encodeCursor returns the cursor of a position in a list.
func encodeCursor(list string, p position) (string, error) {
	at, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("encode a position: %w", err)
	}
	c, err := json.Marshal(cursor{List: list, Position: at})
	if err != nil {
		return "", fmt.Errorf("encode a cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(c), nil
}

// decodeCursor reads a position in list from text into p. It leaves p unchanged if text
// is empty. Any other text that is not a cursor of list is a [mailing.KindMalformed].
func decodeCursor(list, text string, p position) error {
	if text == "" {
		return nil
	}
	var c cursor
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || strict(raw, &c) != nil {
		return mailing.Malformed("the cursor cannot be read")
	}
	if c.List != list {
		return mailing.Malformed("the cursor belongs to another list")
	}
	if strict(c.Position, p) != nil || !p.valid() {
		return mailing.Malformed("the cursor cannot be read")
	}
	return nil
}

// strict decodes one JSON value. Unlike json.Unmarshal, it refuses unknown fields.
func strict(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more data after the value")
	}
	return nil
}
