// Package parameter reads a value from a parameter of AWS Systems Manager (SSM),
// and reads it again while a function runs, so that it is changed without a
// deployment. The keys of the API and the token of the sending API are such
// values.
package parameter

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
)

const (
	// FreshFor is how long what was read is used without reading it again: a
	// change takes so long at most.
	FreshFor = time.Minute
	// pause is how long a reading that failed is not repeated, as long as what
	// was read before will do.
	pause = 5 * time.Second
	// patience is how long a reading may take. A request that waits for it has
	// little time.
	patience = 2 * time.Second
)

// API is the part of the SSM client that is called.
type API interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
}

// Config says what is read, and how.
type Config[T any] struct {
	API API
	// Name is the parameter's.
	Name string
	// What names the value in errors and in the log: "the keys".
	What string
	// Parse makes the value of the parameter's text. exists is false if there is
	// no such parameter; the text is empty then. An error counts as a reading that
	// failed, and must not show the text.
	Parse func(text string, exists bool) (T, error)
	// StaleFor is how long what was read is used while it cannot be read again; 0
	// is without a limit.
	StaleFor time.Duration
	// Now is the wall clock: Go's monotonic one may stand still while Lambda keeps
	// an environment frozen.
	Now func() time.Time
	Log *slog.Logger
}

// Value is what one parameter holds. It is safe for concurrent use.
type Value[T any] struct {
	cfg Config[T]

	reading chan struct{} // has room for the one caller that reads

	mu    sync.Mutex // guards what follows
	value T
	// read is when value was read, failed when reading it failed after that; zero
	// if it never was, or did not. err is why it failed.
	read, failed time.Time
	err          error
	readings     int // how many have ended, the failed ones included
}

// New returns the value of a parameter, which is read when it is first asked for.
func New[T any](cfg Config[T]) *Value[T] {
	return &Value[T]{cfg: cfg, reading: make(chan struct{}, 1)}
}

// Get returns the value as it was less than FreshFor ago. While another caller
// reads it, or reading fails, it returns the one before, as far as StaleFor
// allows. An error means that there is none.
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

// Within is Get for a value that was read less than age ago, and it waits for a
// caller who is reading.
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
	fresh    bool // it is younger than was asked for
	usable   bool // it will do while there is no younger one
	paused   bool // reading it has just failed
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

// within reports whether at was less than d before now. An instant after now is
// not: the clock was set back since, and how long ago it was is unknown.
func within(at time.Time, d time.Duration, now time.Time) bool {
	age := now.Sub(at)
	return !at.IsZero() && age >= 0 && age < d
}

// refresh reads the value unless that was done since there were so many readings.
// It ends the caller's turn to read.
func (v *Value[T]) refresh(ctx context.Context, age time.Duration, readings int) (T, error) {
	defer func() { <-v.reading }()
	is := v.look(age)
	switch {
	case is.fresh, is.usable && is.paused:
		return is.value, nil
	case !is.usable && is.readings != readings:
		return is.value, is.err // who waited for a reading that failed does not begin another
	}
	begun := v.cfg.Now()
	next, err := v.load(ctx)
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

// load reads the parameter. One that is not there is an answer, and no outage:
// what it means is for Parse to say.
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
