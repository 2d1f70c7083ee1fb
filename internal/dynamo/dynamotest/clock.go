package dynamotest

import (
	"context"
	"sync"
	"time"

	"postrider/internal/dynamo"
)

// Clock is a clock that moves only when a test advances it, or when a caller sleeps by
// it. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that shows an instant.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now returns the instant that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward by d.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// AdvanceTo moves the clock forward to an instant. It does nothing if the instant has
// passed.
func (c *Clock) AdvanceTo(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.now) {
		c.now = t
	}
}

// Sleep moves the clock forward by d at once. It returns the cause if ctx is done.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	c.Advance(d)
	return context.Cause(ctx)
}

// Option makes a store use the clock.
func (c *Clock) Option() Option { return func(config *dynamo.Config) { config.Clock = c } }

// impatient is a clock whose Sleep returns at once. Its value returns the present time.
type impatient func() time.Time

func (c impatient) Now() time.Time { return c() }

func (impatient) Sleep(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) }

// Impatient makes a store read the time from now. The store does not wait between two
// tries.
func Impatient(now func() time.Time) Option {
	return func(config *dynamo.Config) { config.Clock = impatient(now) }
}
