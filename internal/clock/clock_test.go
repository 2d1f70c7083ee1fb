package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"postrider/internal/clock"
)

func TestASleepTakesItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if err := clock.Sleep(t.Context(), time.Minute); err != nil || time.Since(begun) != time.Minute {
			t.Errorf("it took %v, %v", time.Since(begun), err)
		}
	})
}

func TestASleepEndsWithItsContextAndSaysWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("called off")
		ctx, cancel := context.WithCancelCause(t.Context())
		begun := time.Now()
		time.AfterFunc(time.Second, func() { cancel(why) })
		if err := clock.Sleep(ctx, time.Minute); !errors.Is(err, why) || time.Since(begun) != time.Second {
			t.Errorf("it took %v, %v", time.Since(begun), err)
		}
	})
}
