package keys

import (
	"context"
	"log/slog"
	"time"

	"postrider/internal/mailing"
	"postrider/internal/parameter"
)

const (
	// freshFor is how long what was read is used: a key that is taken back is
	// good for so long at most.
	freshFor = parameter.FreshFor
	// unknownAfter is how old the keys must be before one that is not among them
	// makes us look again. It bounds what guessing can make us read.
	unknownAfter = 5 * time.Second
	// staleFor is how long old keys are used while new ones cannot be read. SSM
	// being away for a moment is no reason to turn everybody away; being away for
	// long must not keep a key alive that was taken back.
	staleFor = 10 * time.Minute
	// MaxLength is the longest key that is looked at, in bytes.
	MaxLength = 256
)

// Keys are all keys of the API. They are safe for concurrent use.
type Keys struct{ rings *parameter.Value[ring] }

// New is the keys of a parameter, which is read when the first one is asked
// for.
func New(api parameter.API, name string, now func() time.Time, log *slog.Logger) *Keys {
	return &Keys{rings: parameter.New(parameter.Config[ring]{
		API: api, Name: name, What: "the keys", StaleFor: staleFor, Now: now, Log: log,
		// No parameter holds no keys. What is wrong with it is logged, and keeps
		// nobody out whose line is right.
		Parse: func(text string, _ bool) (ring, error) {
			read, err := parse(text)
			if err != nil {
				log.Error("keys that cannot be read", "parameter", name, "error", err)
			}
			if len(read) == 0 {
				log.Error("no keys: nobody can use the API", "parameter", name)
			}
			return read, nil
		},
	})}
}

// Caller tells who holds a key; false if it is nobody's. An error means that
// the keys cannot be read, and nothing is known.
func (k *Keys) Caller(ctx context.Context, secret string) (mailing.Caller, bool, error) {
	if secret == "" || len(secret) > MaxLength {
		return mailing.Caller{}, false, nil
	}
	for _, age := range []time.Duration{freshFor, unknownAfter} {
		ring, err := k.rings.Within(ctx, age)
		if err != nil {
			return mailing.Caller{}, false, err
		}
		if caller, ok := ring.find(secret); ok {
			return caller, true, nil
		}
	}
	return mailing.Caller{}, false, nil
}
