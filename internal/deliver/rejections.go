package deliver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// flushAt is the number of outcomes of a mailing that a sender counts alone before it adds
// them to the window that all senders share. It does not depend on the outcomes: otherwise
// the share of rejections in the window would be biased.
const flushAt = 20

// outcomeWindow identifies a window of outcomes of one mailing. A resume begins a new
// window.
type outcomeWindow struct {
	mailing mailing.ID
	began   time.Time
}

// outcomeCounter counts the outcomes that this environment has not added to a shared
// window yet. It is safe for concurrent use.
type outcomeCounter struct {
	mu     sync.Mutex
	counts map[outcomeWindow]mailing.Outcomes
}

// add counts outcomes of a window. If their sum is flushAt or more, it returns the sum and
// begins again at zero. Otherwise it returns the zero value.
func (c *outcomeCounter) add(window outcomeWindow, o mailing.Outcomes) (flushed mailing.Outcomes) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[outcomeWindow]mailing.Outcomes{}
	}
	sum := c.counts[window].Plus(o)
	if sum.Total() < flushAt {
		c.counts[window] = sum
		return mailing.Outcomes{}
	}
	delete(c.counts, window)
	return sum
}

// countOutcomes counts the outcomes of settled batches, and pauses each mailing whose
// messages the sending API mostly rejects. It does not count test messages.
func (s *Sender) countOutcomes(ctx context.Context, works []*work) {
	if !s.config.PauseOnRejections {
		return
	}
	found := map[outcomeWindow]mailing.Outcomes{}
	for _, w := range works {
		if w.batch.Test != nil || !w.settled {
			continue
		}
		window := outcomeWindow{w.batch.Key.Mailing, s.mailings.cached(w.batch.Key.Mailing).ResumedAt}
		found[window] = found[window].Plus(w.validOutcomes())
	}
	var wg sync.WaitGroup
	for window, o := range found {
		if flushed := s.outcomes.add(window, o); flushed.Total() > 0 {
			wg.Go(func() { s.pauseIfRejected(ctx, window, flushed) })
		}
	}
	wg.Wait()
}

// validOutcomes counts the valid answers to a batch's hand-overs.
func (w *work) validOutcomes() (o mailing.Outcomes) {
	for _, r := range w.recipients {
		switch r.outcome.Kind { //nolint:exhaustive // only valid answers count
		case mailing.OutcomeSent:
			o.Sent++
		case mailing.OutcomeRejected:
			o.Rejected++
		}
	}
	return o
}

// pauseIfRejected pauses the mailing of a window if the window is full and at least half
// of its outcomes are rejections. If o alone fills a window, the outcomes of other senders
// are not read.
func (s *Sender) pauseIfRejected(ctx context.Context, window outcomeWindow, o mailing.Outcomes) {
	if !o.Full() {
		var err error
		if o, err = s.store.CountOutcomes(ctx, window.mailing, window.began, o); err != nil {
			slog.WarnContext(ctx, "count outcomes", "mailing_id", window.mailing, "error", err)
			return
		}
	}
	if !o.Refused() {
		return
	}
	pausedBefore := false
	m, err := s.store.UpdateMailing(ctx, window.mailing, func(m mailing.Mailing) (mailing.Mailing, error) {
		pausedBefore = m.Status == mailing.StatusPaused
		return m.PausedForRejections(o, window.began, s.now()), nil
	})
	if err != nil {
		slog.ErrorContext(ctx, "pause a mailing that the sending API mostly rejects",
			"mailing_id", window.mailing, "error", err)
		return
	}
	s.mailings.put(m)
	if m.PausedBy == mailing.ByRejections && !pausedBefore {
		slog.ErrorContext(ctx, "mailing paused: the sending API rejects most of its messages",
			"mailing_id", window.mailing, "rejected", o.Rejected, "of", o.Total())
	}
}
