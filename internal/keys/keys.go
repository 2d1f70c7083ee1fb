package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"postrider/internal/mailing"
)

const (
	// freshFor is how long what was read is used: a key that is taken back is
	// good for so long at most.
	freshFor = time.Minute
	// unknownAfter is how old the keys must be before one that is not among them
	// makes us look again. It bounds what guessing can make us read.
	unknownAfter = 5 * time.Second
	// staleFor is how long old keys are used while new ones cannot be read. SSM
	// being away for a moment is no reason to turn everybody away; being away for
	// long must not keep a key alive that was taken back.
	staleFor = 10 * time.Minute
	// patience is how long a reading may take: old keys are no help to a request
	// whose time is up.
	patience = 2 * time.Second
	// MaxLength is the longest key that is looked at, in bytes.
	MaxLength = 256
)

// API is the part of the SSM client that is called.
type API interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
}

// Keys are all keys of the API. They are safe for concurrent use.
type Keys struct {
	api       API
	parameter string
	now       func() time.Time
	log       *slog.Logger

	mu   sync.Mutex
	ring ring
	// read is when ring was read, tried when it last was tried to.
	read, tried time.Time
}

// New is the keys of a parameter, which is read when the first one is asked
// for.
func New(api API, parameter string, now func() time.Time, log *slog.Logger) *Keys {
	return &Keys{api: api, parameter: parameter, now: now, log: log}
}

// Caller tells who holds a key; false if it is nobody's. An error means that
// the keys cannot be read, and nothing is known.
func (k *Keys) Caller(ctx context.Context, secret string) (mailing.Caller, bool, error) {
	if secret == "" || len(secret) > MaxLength {
		return mailing.Caller{}, false, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refresh(ctx, freshFor); err != nil {
		return mailing.Caller{}, false, err
	}
	caller, ok := k.ring.find(secret)
	if ok {
		return caller, true, nil
	}
	if err := k.refresh(ctx, unknownAfter); err != nil {
		return mailing.Caller{}, false, err
	}
	caller, ok = k.ring.find(secret)
	return caller, ok, nil
}

// refresh reads the keys if they are older than age. If that fails, the old
// ones will do until they are stale.
func (k *Keys) refresh(ctx context.Context, age time.Duration) error {
	now := k.now()
	if !k.read.IsZero() && now.Sub(k.read) < age {
		return nil
	}
	usable := !k.read.IsZero() && now.Sub(k.read) < staleFor
	if usable && now.Sub(k.tried) < unknownAfter {
		return nil // it has just failed
	}
	k.tried = now
	text, err := k.load(ctx)
	if err != nil {
		if usable {
			k.log.LogAttrs(ctx, slog.LevelError, "keys not read, the old ones are used", slog.String("error", err.Error()))
			return nil
		}
		return err
	}
	read, err := parse(text)
	if err != nil {
		k.log.LogAttrs(ctx, slog.LevelError, "keys that cannot be read", slog.String("parameter", k.parameter), slog.String("error", err.Error()))
	}
	if len(read) == 0 {
		k.log.LogAttrs(ctx, slog.LevelError, "no keys: nobody can use the API", slog.String("parameter", k.parameter))
	}
	k.ring, k.read = read, now
	return nil
}

// load reads the parameter. One that is not there holds no keys: that is an
// answer, and no outage.
func (k *Keys) load(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := k.api.GetParameter(ctx, &ssm.GetParameterInput{Name: &k.parameter, WithDecryption: aws.Bool(true)})
	var missing *types.ParameterNotFound
	if errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the keys from the SSM parameter %s: %w", k.parameter, err)
	}
	if out.Parameter == nil {
		return "", fmt.Errorf("read the keys from the SSM parameter %s: it has no value", k.parameter)
	}
	return aws.ToString(out.Parameter.Value), nil
}
