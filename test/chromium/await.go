package chromium

import (
	"context"
	"fmt"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// tick is the time between two looks at a page. Each look lays out the page again.
const tick = 150 * time.Millisecond

// Await waits until an expression of JavaScript is true.
func Await(expression string) chromedp.Action[chromedp.Void] {
	return again(expression, func(ctx context.Context, t *chromedp.Target) (bool, error) {
		return chromedp.Evaluate[bool](expression)(ctx, t)
	})
}

// again calls try until it returns true. An error is not the end: a page that is being
// replaced causes some.
func again(what string, try func(context.Context, *chromedp.Target) (bool, error)) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for {
			ok, err := try(ctx, t)
			if ok && err == nil {
				return nil
			}
			select {
			case <-ctx.Done():
				if err != nil {
					return fmt.Errorf("waited for %s: %w", what, err)
				}
				return fmt.Errorf("waited for %s: %w", what, ctx.Err())
			case <-ticker.C:
			}
		}
	})
}

// Command returns the step that runs a command of the browser's protocol.
func Command[P, R any](command cdp.Command[P, R], params P) chromedp.Action[R] {
	return func(ctx context.Context, t *chromedp.Target) (R, error) { return cdp.Call(ctx, t, command, params) }
}
