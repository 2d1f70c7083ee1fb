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

// Idempotent is what operations take that create something.
type Idempotent struct {
	Key string `header:"Idempotency-Key" minLength:"1" maxLength:"255" pattern:"^[!-~]*$" patternDescription:"printable ASCII without blanks" example:"8e03978e-40d5-43dd-bc93-6894a57f9324" doc:"Chosen by the caller, a new one for each thing to be created. The same key and request answers as the first time, for 24 hours; another request is 422."`
}

// Resolve refuses a header without a key, which to huma is none, and several of
// them, of which huma takes the first: the caller would take what can be done
// twice for done once.
func (i *Idempotent) Resolve(ctx huma.Context) []error {
	return givenOnce(ctx, "Idempotency-Key", i.Key)
}

// givenOnce returns an error if a request has the header and it is empty, or has it
// several times. value is what huma has read of it.
func givenOnce(ctx huma.Context, header, value string) []error {
	r, _ := humago.Unwrap(ctx)
	given := len(r.Header.Values(header))
	if given == 0 || given == 1 && value != "" {
		return nil
	}
	return []error{&huma.ErrorDetail{Location: "header." + header, Message: "must be given once, and not empty"}}
}

// Repeated reports whether an answer is that to an earlier request.
type Repeated struct {
	Replayed string `header:"Idempotency-Replayed" doc:"true where the answer is that of the first request with this Idempotency-Key."`
}

// once creates what a request asks for, unless it has done so before: then it
// finds what that was. operation and request are all that is asked for.
func once[T any](ctx context.Context, s *server, in Idempotent, operation string, request any,
	pick func(mailing.Creation) *T, create func(mailing.Once) (T, error),
) (T, Repeated, error) {
	var none T
	o, err := s.onceOf(ctx, in, operation, request)
	if err != nil {
		return none, Repeated{}, err
	}
	if !o.Asked() {
		made, err := create(o)
		return made, Repeated{}, err
	}
	// Two at the same time: the one that comes second to the store finds, in the
	// second round, what the first has created.
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

// onceOf names a request. A key is its caller's own: another one may use the
// same.
func (s *server) onceOf(ctx context.Context, in Idempotent, operation string, request any) (mailing.Once, error) {
	if in.Key == "" {
		return mailing.Once{}, nil
	}
	asked, err := json.Marshal([]any{operation, request})
	if err != nil {
		return mailing.Once{}, fmt.Errorf("write a request as JSON: %w", err)
	}
	return mailing.Once{
		Key:     hash(requestOf(ctx).caller + "\n" + in.Key),
		Request: hash(string(asked)),
		Until:   s.Now().Add(mailing.OnceTime),
	}, nil
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
