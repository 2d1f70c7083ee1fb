package mailing

import (
	"errors"
	"fmt"
	"strings"
)

// Kind is a class of errors. It decides how a caller can react to an [Error]. There are few
// kinds, on purpose: each stands for one status of the API.
type Kind uint8

const (
	// KindInternal is every error that no input has caused. Its text is for logs; the API
	// never shows it.
	KindInternal Kind = iota
	// KindInvalid means that the input breaks a rule; [Error.Fields] says which field.
	KindInvalid
	// KindMalformed means that the input cannot be read at all (a cursor of another list).
	KindMalformed
	// KindNotFound means that nothing has that id.
	KindNotFound
	// KindConflict means that the input contradicts the stored state (a taken phone, a
	// locked field).
	KindConflict
	// KindStale means that the caller's version is not the current one.
	KindStale
)

// Field is one rule that one field of the input breaks.
type Field struct {
	// Location is the place in the input, such as "body.phone".
	Location string
	// Message is the rule. It never repeats the value.
	Message string
}

// Error is the only error type whose message and fields may be shown to a user, unless its
// kind is [KindInternal]. Err is for logs only.
type Error struct {
	Kind    Kind
	Message string
	Fields  []Field
	Err     error
}

// Error returns the message, the fields and the cause, for logs.
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

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first [Error] in err's chain, or [KindInternal] if there
// is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindInternal
}

// NotFound returns the error for an id that does not exist.
func NotFound(what string) error {
	return &Error{Kind: KindNotFound, Message: "there is no " + what + " with this id"}
}

// Conflict returns the error for input that contradicts the stored state.
func Conflict(format string, args ...any) error {
	return &Error{Kind: KindConflict, Message: fmt.Sprintf(format, args...)}
}

// Stale returns the error for a version that is not the current one.
func Stale() error {
	return &Error{Kind: KindStale, Message: "it has been changed since this version was read: read it again, then repeat the change"}
}

// Malformed returns the error for input that cannot be read.
func Malformed(format string, args ...any) error {
	return &Error{Kind: KindMalformed, Message: fmt.Sprintf(format, args...)}
}

// problems collects the rules that one input breaks, so that one error reports all of
// them.
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
