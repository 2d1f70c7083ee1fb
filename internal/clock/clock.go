// Package clock is the system's clock, for all that waits.
package clock

import (
	"context"
	"time"
)

// Sleep waits for d, or until ctx is done; its error is then why that is.
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
