// Package parameter reads a value from a parameter of AWS Systems Manager (SSM), and
// reads it again while a function runs. So the value can be changed without a
// deployment. The keys of the API and the token of the sending API are such values.
package parameter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"postrider/internal/clock"
)

const (
	// FreshFor is how long a value is used before it is read again. A change takes
	// effect after that time at the latest.
	FreshFor = time.Minute
	// pause is how long after a failed reading no other one is made, while the value
	// from before may be used.
	pause = 5 * time.Second
	// patience is how long one try of a reading may take. A request that waits for it
	// has little time.
	patience = 2 * time.Second
	// longestWait is the longest time between two tries. SSM allows 40 readings a
	// second, so tries of many new environments must spread.
	longestWait = 2 * time.Second
)

// API is the part of the SSM client that this package calls.
type API interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
}

// Config is the configuration of a Value.
type Config[T any] struct {
	API API
	// Name is the parameter's name.
	Name string
	// What names the value in errors and in the log: "the keys".
	What string
	// Parse returns the value for the parameter's text. If the parameter does not
	// exist, exists is false and the text is empty. An error counts as a failed
	// reading, and must not show the text.
	Parse func(text string, exists bool) (T, error)
	// StaleFor is how long a value is used while it cannot be read again; 0 is no
	// limit.
	StaleFor time.Duration
	// FirstFor is how long a reading is tried again while no value may be used, for
	// users that can wait; 0 is a single try.
	FirstFor time.Duration
	// Now is the wall clock. Go's monotonic clock may stand still while Lambda keeps an
	// environment frozen.
	Now func() time.Time
	Log *slog.Logger
}

// Value is the value of one parameter. It is safe for concurrent use.
type Value[T any] struct {
	cfg Config[T]

	reading chan struct{} // a lock: it has room for the one caller that reads

	mu    sync.Mutex // guards the fields below
	value T
	// read is when value was read. failed is when a later reading failed. Each is the
	// zero time if that did not happen. err is the error of the last reading.
	read, failed time.Time
	err          error
	readings     int // how many readings have ended, including failed ones
}

// New returns the value of a parameter. The parameter is read at the first use.
func New[T any](cfg Config[T]) *Value[T] {
	return &Value[T]{cfg: cfg, reading: make(chan struct{}, 1)}
}

// Get returns the value as it was less than FreshFor ago. While another caller reads
// it, or reading fails, Get returns the value from before, as far as StaleFor allows.
// An error means that there is no such value.
func (v *Value[T]) Get(ctx context.Context) (T, error) {
	is := v.look(FreshFor)
	if is.fresh {
		return is.value, nil
	}
	if !is.usable {
		return v.Within(ctx, FreshFor)
	}
	select {
	case v.reading <- struct{}{}:
		return v.refresh(ctx, FreshFor, is.readings)
	default:
		return is.value, nil
	}
}

// Within returns the value as it was less than age ago. Unlike Get it waits for a
// caller that is reading.
func (v *Value[T]) Within(ctx context.Context, age time.Duration) (T, error) {
	is := v.look(age)
	if is.fresh {
		return is.value, nil
	}
	select {
	case v.reading <- struct{}{}:
		return v.refresh(ctx, age, is.readings)
	case <-ctx.Done():
		return is.value, fmt.Errorf("wait for %s from the SSM parameter %s: %w", v.cfg.What, v.cfg.Name, ctx.Err())
	}
}

// state is what is known of a value at an instant.
type state[T any] struct {
	value    T
	fresh    bool // it is younger than the age that was asked for
	usable   bool // it may be used while there is no younger one
	paused   bool // a reading has failed less than pause ago
	err      error
	readings int
}

func (v *Value[T]) look(age time.Duration) state[T] {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.cfg.Now()
	return state[T]{
		value: v.value, fresh: within(v.read, age, now), paused: within(v.failed, pause, now), err: v.err, readings: v.readings,
		usable: !v.read.IsZero() && (v.cfg.StaleFor == 0 || within(v.read, v.cfg.StaleFor, now)),
	}
}

// within reports whether at was less than d before now. It reports false for an instant
// after now: the clock was set back since then, and the real age is unknown.
func within(at time.Time, d time.Duration, now time.Time) bool {
	age := now.Sub(at)
	return !at.IsZero() && age >= 0 && age < d
}

// refresh reads the value. It makes no call if the value is fresh by now; if a reading
// has just failed and the value from before may be used; or if no value may be used and
// another reading has ended since there were so many readings. It ends the caller's
// turn to read.
func (v *Value[T]) refresh(ctx context.Context, age time.Duration, readings int) (T, error) {
	defer func() { <-v.reading }()
	is := v.look(age)
	switch {
	case is.fresh, is.usable && is.paused:
		return is.value, nil
	case !is.usable && is.readings != readings:
		return is.value, is.err // a caller that waited for a failed reading does not begin another
	}
	begun := v.cfg.Now()
	load := v.load
	if !is.usable && v.cfg.FirstFor > 0 {
		load = v.loadFirst
	}
	next, err := load(ctx)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.err = err
	v.readings++
	if err == nil {
		v.value, v.read, v.failed = next, begun, time.Time{}
		return next, nil
	}
	v.failed = begun
	v.cfg.Log.LogAttrs(ctx, slog.LevelError, "a parameter was not read",
		slog.String("parameter", v.cfg.Name), slog.Bool("the_value_before_is_used", is.usable), slog.String("error", err.Error()))
	if !is.usable {
		return is.value, err
	}
	return is.value, nil
}

// loadFirst is load for a value without which no request is answered. It tries again
// after a random time, until FirstFor is over.
func (v *Value[T]) loadFirst(ctx context.Context) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, v.cfg.FirstFor)
	defer cancel()
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, longestWait) {
		value, err := v.load(ctx)
		if err == nil {
			return value, nil
		}
		if clock.Sleep(ctx, rand.N(wait)) != nil { //nolint:gosec // G404: it only has to differ between environments
			return value, err
		}
	}
}

// load reads the parameter. A parameter that does not exist is an answer, not an
// outage; Parse decides what it means.
func (v *Value[T]) load(ctx context.Context) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := v.cfg.API.GetParameter(ctx, &ssm.GetParameterInput{Name: &v.cfg.Name, WithDecryption: aws.Bool(true)})
	text, exists := "", true
	var missing *types.ParameterNotFound
	switch {
	case errors.As(err, &missing):
		exists, err = false, nil
	case err == nil && out.Parameter == nil:
		err = errors.New("it has no value")
	case err == nil:
		text = aws.ToString(out.Parameter.Value)
	}
	var value T
	if err == nil {
		value, err = v.cfg.Parse(text, exists)
	}
	if err != nil {
		return value, fmt.Errorf("read %s from the SSM parameter %s: %w", v.cfg.What, v.cfg.Name, err)
	}
	return value, nil
}
