package mailing

import (
	"errors"
	"time"
)

// OnceTime is how long it is known what a request with an idempotency key has
// created.
const OnceTime = 24 * time.Hour

// Once names a request that creates something, so that it creates it once
// however often it comes. The zero Once is a request that did not ask for that.
type Once struct {
	// Key is a hash of the idempotency key and whose it is.
	Key string
	// Request is a hash of what is asked for.
	Request string
	// Until is when all of this is forgotten.
	Until time.Time
}

// Asked reports whether the request asked for it.
func (o Once) Asked() bool { return o.Key != "" }

// Creation is what a request has created, as it was then: one of them.
type Creation struct {
	Client  *Client
	Mailing *Mailing
	Test    *Message
}

// ErrCreated says that what the request asks for was created already, by the
// same request.
var ErrCreated = errors.New("an earlier request with this idempotency key has created it")

// OtherRequest is the error for an idempotency key that came with another
// request before.
func OtherRequest() error {
	return &Error{Kind: KindInvalid, Message: "the request differs from the first one with this Idempotency-Key", Fields: []Field{
		{Location: "header.Idempotency-Key", Message: "must be a new one for another request"},
	}}
}
