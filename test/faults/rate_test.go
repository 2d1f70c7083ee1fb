package faults_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"postrider/internal/mailing"
)

// bubbleClock is the world's clock inside a bubble of testing/synctest. Its time advances
// while all goroutines of the bubble wait.
type bubbleClock struct{ w *world }

func (c bubbleClock) Now() time.Time { return c.w.clock.Now() }

func (c bubbleClock) Sleep(ctx context.Context, d time.Duration) error {
	until := c.Now().Add(d)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		c.w.clock.AdvanceTo(until)
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// inBubble runs a test in which waiting advances the world's clock, and takes no real
// time.
func inBubble(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := inMemory(t)
		w.config.Clock = bubbleClock{w}
		test(w)
	})
}

func TestTheRateLimitsTheHandOversInAnySecond(t *testing.T) {
	const rate = 20
	inBubble(t, func(w *world) {
		w.config.MaxRate = rate
		w.restart()
		w.clients(400)
		m := w.create(nil)
		w.sweep()
		w.run(time.Hour, w.finished(m.ID))
		w.sentAll(m.ID, 400)
		var times []time.Time
		for _, took := range w.provider.took() {
			times = append(times, took[0].At)
		}
		slices.SortFunc(times, time.Time.Compare)
		first := 0
		for i, at := range times {
			for at.Sub(times[first]) >= time.Second {
				first++
			}
			// A tenth of a second's messages may go at once.
			if n := i - first + 1; n > rate+rate/10 {
				w.t.Fatalf("%d hand-overs within a second", n)
			}
		}
		if took := times[len(times)-1].Sub(times[0]); took < 380*time.Second/rate || took > 5*time.Minute {
			w.t.Errorf("400 messages at %d a second took %s", rate, took)
		}
		for _, rec := range w.recipients(m.ID) {
			if rec.Attempts != 1 || rec.Uncertain != 0 {
				w.t.Errorf("waiting for its turn used up an attempt: %+v", rec)
			}
		}
		if n := w.queues.size(lettersURL); n != 0 {
			w.t.Errorf("waiting for their turn used up the receives of %d deliveries", n)
		}
	})
}

func TestAMailingThatIsCancelledWhileItWaitsForTheRateEndsAtOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		w.config.MaxRate = 5
		w.restart()
		w.clients(200)
		m := w.create(nil)
		n := 0
		w.provider.behave(func(mailing.Handover) (mailing.Outcome, bool) {
			if n++; n == 10 {
				w.must(m.ID, "cancel")
			}
			return mailing.Outcome{Kind: mailing.OutcomeSent}, true
		})
		w.sweep()
		w.run(10*time.Minute, w.finished(m.ID))
		w.check() // no hand-over was made later than two seconds after it
		if c := w.counts(m.ID); c.Cancelled < 150 || c.Sent < 10 {
			w.t.Errorf("counts %+v", c)
		}
	})
}
