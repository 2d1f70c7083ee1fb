// Package clock is the source of the time, and waits.
package clock

import (
	"context"
	"time"
)

// Clock returns the time and waits.
type Clock interface {
	Now() time.Time
	// Sleep waits for d, or until ctx is done. In that case it returns the cause of ctx's
	// end.
	Sleep(ctx context.Context, d time.Duration) error
}

// System is the system's clock.
type System struct{}

// Now returns the time by the wall clock. Go's monotonic clock may stand still while
// Lambda keeps an environment frozen: data that was read before would then seem fresh.
func (System) Now() time.Time { return time.Now().Round(0) }

// Sleep is [Sleep].
func (System) Sleep(ctx context.Context, d time.Duration) error { return Sleep(ctx, d) }

// Sleep waits for d, or until ctx is done. In that case it returns the cause of ctx's
// end.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
