package mailing

import (
	"errors"
	"time"
)

// IdempotencyTime is how long the store remembers what a request with an idempotency key has
// created.
const IdempotencyTime = 24 * time.Hour

// Idempotency identifies a request that creates something, so that its repetitions create
// nothing more. The zero Idempotency is a request without an idempotency key.
type Idempotency struct {
	// Key is a hash of the idempotency key and of its owner.
	Key string
	// Request is a hash of the request's content.
	Request string
	// Until is when the store forgets the request.
	Until time.Time
}

// HasKey reports whether the request has an idempotency key.
func (o Idempotency) HasKey() bool { return o.Key != "" }

// Creation holds the object that a request has created, as it was at that time. Exactly one
// of its fields is set.
type Creation struct {
	Client  *Client
	Mailing *Mailing
	Test    *Message
}

// ErrCreated says that an earlier request with the same idempotency key and content has
// already created the object.
var ErrCreated = errors.New("an earlier request with this idempotency key has created the object")

// OtherRequest returns the error for an idempotency key that was used before with a
// different request.
func OtherRequest() error {
	return &Error{Kind: KindInvalid, Message: "the request differs from the first one with this Idempotency-Key", Fields: []Field{
		{Location: "header.Idempotency-Key", Message: "must be a new one for another request"},
	}}
}
