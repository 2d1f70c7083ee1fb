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

// A cursor is a position in one list, opaque to whoever holds it. It says which
// list it belongs to, filters included, so that it cannot silently continue
// another one; the limit is no part of that and may differ from page to page.
type cursor struct {
	List     string          `json:"l"`
	Position json.RawMessage `json:"p"`
}

// position is where in a list the next page begins.
type position interface {
	// valid reports whether a list can be there at all. What a cursor holds came
	// from outside.
	valid() bool
}

// listKey names a list and its filters. It is a hash, so that a cursor shows
// nothing of what was searched for.
func listKey(list string, filters ...any) string {
	h := fnv.New64a()
	full := fmt.Appendf(nil, "%q", list)
	for _, f := range filters {
		full = fmt.Appendf(full, " %q", fmt.Sprint(f))
	}
	h.Write(full) // a hash takes all
	return fmt.Sprintf("%016x", h.Sum64())
}

// encodeCursor writes a position down.
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

// decodeCursor reads a position of this very list into p, and leaves p as it is
// if the cursor is empty. Anything else is [mailing.KindMalformed].
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

// strict is json.Unmarshal that takes nothing unknown and nothing behind.
func strict(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the value")
	}
	return nil
}
