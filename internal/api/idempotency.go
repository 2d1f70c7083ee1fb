package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"postrider/internal/mailing"
)

// Idempotent is the input of operations that create something: the idempotency key.
type Idempotent struct {
	Key string `header:"Idempotency-Key" minLength:"1" maxLength:"255" pattern:"^[!-~]*$" patternDescription:"printable ASCII without blanks" example:"8e03978e-40d5-43dd-bc93-6894a57f9324" doc:"Chosen by the caller, a new one for each thing to be created. The same key and request answers as the first time, for 24 hours; another request is 422."`
}

// Resolve refuses an empty header and several headers. huma takes an empty header
// for none, and of several it takes the first. In both cases the caller would rely
// on a protection against repetition that it does not have.
func (i *Idempotent) Resolve(ctx huma.Context) []error {
	return singleHeader(ctx, "Idempotency-Key", i.Key)
}

// singleHeader returns an error if a request has the header with an empty value, or
// has it several times. value is the value that huma has read.
func singleHeader(ctx huma.Context, header, value string) []error {
	r, _ := humago.Unwrap(ctx)
	given := len(r.Header.Values(header))
	if given == 0 || given == 1 && value != "" {
		return nil
	}
	return []error{&huma.ErrorDetail{Location: "header." + header, Message: "must be given once, and not empty"}}
}

// Repeated is the header that marks an answer as that to an earlier request.
type Repeated struct {
	Replayed string `header:"Idempotency-Replayed" doc:"true where the answer is that of the first request with this Idempotency-Key."`
}

// once creates the resource that a request asks for. If an earlier request with the
// same key has created it, once returns that resource instead, as it was then.
// operation and request identify the request: another one under the same key is
// refused by the store. pick returns the part of a [mailing.Creation] that the
// operation creates.
func idempotently[T any](ctx context.Context, s *server, in Idempotent, operation string, request any,
	pick func(mailing.Creation) *T, create func(mailing.Idempotency) (T, error),
) (T, Repeated, error) {
	var none T
	o, err := s.idempotencyOf(ctx, in, operation, request)
	if err != nil {
		return none, Repeated{}, err
	}
	if !o.HasKey() {
		made, err := create(o)
		return made, Repeated{}, err
	}
	// The store writes the key and the resource in one transaction. So of two
	// requests at the same time, one fails with ErrCreated, and finds in the second
	// round the resource that the other has created.
	for range 2 {
		before, ok, err := s.Mailings.Created(ctx, o)
		if err != nil {
			return none, Repeated{}, err
		}
		if found := pick(before); ok && found != nil {
			return *found, Repeated{"true"}, nil
		}
		made, err := create(o)
		if !errors.Is(err, mailing.ErrCreated) {
			return made, Repeated{}, err
		}
	}
	return none, Repeated{}, errors.New("what a request has created is neither there nor not there")
}

// idempotencyOf returns the name under which the store remembers a request, the zero value
// for a request without a key. A key belongs to its caller: another caller may use
// the same. The store gets hashes only: of the key, and of the operation with its
// body.
func (s *server) idempotencyOf(ctx context.Context, in Idempotent, operation string, request any) (mailing.Idempotency, error) {
	if in.Key == "" {
		return mailing.Idempotency{}, nil
	}
	asked, err := json.Marshal([]any{operation, request})
	if err != nil {
		return mailing.Idempotency{}, fmt.Errorf("write a request as JSON: %w", err)
	}
	return mailing.Idempotency{
		Key:     hash(requestOf(ctx).caller + "\n" + in.Key),
		Request: hash(string(asked)),
		Until:   s.Now().Add(mailing.IdempotencyTime),
	}, nil
}

// hash returns the SHA-256 of s in hex.
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
