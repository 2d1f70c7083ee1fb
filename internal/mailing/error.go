package mailing

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what a caller can do about an [Error]. There are few, on purpose:
// each maps to one answer of the API.
type Kind uint8

const (
	// KindInternal is everything that is nobody's input's fault. Its text is
	// for logs; a person never sees it.
	KindInternal Kind = iota
	// KindInvalid: the input breaks a rule; [Error.Fields] says which field.
	KindInvalid
	// KindMalformed: the input cannot be read at all (a foreign cursor).
	KindMalformed
	// KindNotFound: there is nothing with that id.
	KindNotFound
	// KindConflict: it contradicts what is there (a taken phone, a locked field).
	KindConflict
	// KindStale: the caller's version is not the current one.
	KindStale
)

// Field is one rule that one field of the input breaks.
type Field struct {
	// Location is where in the input, such as "body.phone".
	Location string
	// Message says what would be right. It never repeats the value.
	Message string
}

// Error is the only error type whose text may be shown to a person (except
// [KindInternal]).
type Error struct {
	Kind    Kind
	Message string
	Fields  []Field
	Err     error
}

// Error gives the message, the fields, and the cause: for logs.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s: %s", f.Location, f.Message)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf tells the kind of the first [Error] in err's chain, [KindInternal] if
// there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindInternal
}

// NotFound is the error for an id that nothing has.
func NotFound(what string) error {
	return &Error{Kind: KindNotFound, Message: "there is no " + what + " with this id"}
}

// Conflict is the error for input that contradicts what is there.
func Conflict(format string, args ...any) error {
	return &Error{Kind: KindConflict, Message: fmt.Sprintf(format, args...)}
}

// Stale is the error for a version that is not the current one.
func Stale() error {
	return &Error{Kind: KindStale, Message: "it has been changed since this version was read: read it again, then repeat the change"}
}

// Malformed is the error for input that cannot be read.
func Malformed(format string, args ...any) error {
	return &Error{Kind: KindMalformed, Message: fmt.Sprintf(format, args...)}
}

// problems collects the rules that one input breaks, so that all are told
// together.
type problems []Field //nolint:recvcheck // add appends in place

func (p *problems) add(location, format string, args ...any) {
	*p = append(*p, Field{Location: location, Message: fmt.Sprintf(format, args...)})
}

func (p problems) err(what string) error {
	if len(p) == 0 {
		return nil
	}
	return &Error{Kind: KindInvalid, Message: what + " is not valid", Fields: p}
}
