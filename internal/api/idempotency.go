package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

// Idempotent is the input of operations that create something: the idempotency key.
type Idempotent struct {
	Key string `header:"Idempotency-Key" minLength:"1" maxLength:"255" pattern:"^[!-~]*$" patternDescription:"printable ASCII without blanks" example:"8e03978e-40d5-43dd-bc93-6894a57f9324" doc:"A key that the caller chooses, a new one for each resource to create. For 24 hours, the same request with the same key gets the first answer, and another request is 422."`
}

// Resolve refuses an empty header and several headers. huma treats an empty header
// like no header, and of several headers it takes the first. In both cases the
// caller would rely on a protection against repetition that it does not have.
func (i *Idempotent) Resolve(ctx huma.Context) []error {
	return singleHeader(ctx, "Idempotency-Key", i.Key)
}

// Repeated is the header that marks the answer to an earlier request.
type Repeated struct {
	Replayed string `header:"Idempotency-Replayed" doc:"true if the answer is that of an earlier request with this Idempotency-Key."`
}

// idempotently creates the resource that a request asks for. If an earlier request
// with the same key has created it, it returns that resource as it was then.
// operation and request identify the request: the store refuses another one with
// the same key. pick returns the part of a [mailing.Creation] that the
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
		created, err := create(o)
		return created, Repeated{}, err
	}
	// The store writes the key and the resource in one transaction. So of two
	// requests at the same time, one fails with ErrCreated, and finds in the second
	// round the resource that the other has created.
	for range 2 {
		before, ok, err := s.mailings.Created(ctx, o)
		if err != nil {
			return none, Repeated{}, err
		}
		if found := pick(before); ok && found != nil {
			return *found, Repeated{"true"}, nil
		}
		created, err := create(o)
		if !errors.Is(err, mailing.ErrCreated) {
			return created, Repeated{}, err
		}
	}
	return none, Repeated{}, errors.New("the store refuses to create a resource that it does not have")
}

// idempotencyOf returns the key under which the store remembers a request, the zero
// value for a request without a key. A key belongs to its caller: another caller may
// use the same key for another request. The store gets hashes only: of the key, and
// of the operation with its body.
func (s *server) idempotencyOf(ctx context.Context, in Idempotent, operation string, request any,
) (mailing.Idempotency, error) {
	if in.Key == "" {
		return mailing.Idempotency{}, nil
	}
	asked, err := json.Marshal([]any{operation, request})
	if err != nil {
		return mailing.Idempotency{}, fmt.Errorf("write a request as JSON: %w", err)
	}
	return mailing.Idempotency{
		Key:     hash(requestOf(ctx).caller.Name + "\n" + in.Key),
		Request: hash(string(asked)),
		Until:   s.now().Add(mailing.IdempotencyTime),
	}, nil
}

// hash returns the SHA-256 of s in hex.
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
