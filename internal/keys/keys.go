package keys

import (
	"context"
	"log/slog"
	"time"

	"postrider/internal/mailing"
	"postrider/internal/parameter"
)

const (
	// freshFor is the time for which keys that were read are used. It is also the
	// longest time for which a revoked key is accepted while the parameter can be
	// read.
	freshFor = parameter.FreshFor
	// unknownAfter is the age from which the keys are read again when a key is not
	// among them. It limits how often a caller that guesses keys can make us read.
	unknownAfter = 5 * time.Second
	// staleFor is the time for which old keys are used while new ones cannot be
	// read. A short outage of SSM must not lock out all callers. A long one must
	// not keep a revoked key valid.
	staleFor = 10 * time.Minute
	// firstFor is how long a new process tries to read the keys before it refuses a
	// request. When many start at once, SSM refuses some readings. API Gateway waits
	// for 29 s.
	firstFor = 10 * time.Second
	// MaxLength is the length of the longest key that is looked up, in bytes.
	MaxLength = 256
)

// Keys holds all keys of the API. It is safe for concurrent use.
type Keys struct{ rings *parameter.Value[ring] }

// New returns the keys of a parameter. The parameter is read when the first key is
// looked up.
func New(api parameter.API, name string, now func() time.Time, log *slog.Logger) *Keys {
	return &Keys{rings: parameter.New(parameter.Config[ring]{
		API: api, Name: name, What: "the keys", StaleFor: staleFor, FirstFor: firstFor, Now: now, Log: log,
		// A missing parameter holds no keys. A line that is wrong is logged, and
		// the keys of the other lines count.
		Parse: func(text string, _ bool) (ring, error) {
			read, err := parse(text)
			if err != nil {
				log.Error("keys that cannot be read", "parameter", name, "error", err)
			}
			if len(read) == 0 {
				log.Error("no keys: the API refuses every request", "parameter", name)
			}
			return read, nil
		},
	})}
}

// Caller returns the caller that holds a key, false if the key is unknown. An error
// means that the keys cannot be read, so it is unknown whether the key is good.
func (k *Keys) Caller(ctx context.Context, secret string) (mailing.Caller, bool, error) {
	if secret == "" || len(secret) > MaxLength {
		return mailing.Caller{}, false, nil
	}
	// The second round reads the keys again if they are older than unknownAfter:
	// the key may be new.
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
