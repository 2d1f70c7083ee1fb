package deliver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// flushAt is how many outcomes of a mailing a sender counts alone before it adds them
// to the window that all senders share. It is the same whatever the outcomes are:
// otherwise the share of rejections in the window would be biased.
const flushAt = 20

// window identifies a window of outcomes of one mailing. A resume begins a new window.
type window struct {
	mailing mailing.ID
	began   time.Time
}

// outcomes counts the outcomes that this environment has not added to a shared window
// yet. It is safe for concurrent use.
type outcomes struct {
	mu    sync.Mutex
	count map[window]mailing.Outcomes
}

// add counts outcomes of a window. When there are flushAt or more, it returns their sum
// and begins again at zero; before that it returns none.
func (c *outcomes) add(w window, o mailing.Outcomes) (tell mailing.Outcomes) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count == nil {
		c.count = map[window]mailing.Outcomes{}
	}
	sum := c.count[w].Plus(o)
	if sum.Total() < flushAt {
		c.count[w] = sum
		return mailing.Outcomes{}
	}
	delete(c.count, w)
	return sum
}

// watch counts the outcomes of settled batches, and pauses each mailing that the
// sending API mostly refuses. It does not count test messages.
func (s *Sender) watch(ctx context.Context, works []*work) {
	if !s.config.PauseOnRejections {
		return
	}
	found := map[window]mailing.Outcomes{}
	for _, w := range works {
		if w.batch.Test != nil || !w.settled {
			continue
		}
		of := window{w.batch.Key.Mailing, s.mailings.peek(w.batch.Key.Mailing).ResumedAt}
		found[of] = found[of].Plus(w.answered())
	}
	var wg sync.WaitGroup
	for of, o := range found {
		if tell := s.outcomes.add(of, o); tell.Total() > 0 {
			wg.Go(func() { s.judge(ctx, of, tell) })
		}
	}
	wg.Wait()
}

// answered counts the valid answers to a batch's hand-overs.
func (w *work) answered() (o mailing.Outcomes) {
	for _, outcome := range w.outcomes {
		switch outcome.Kind { //nolint:exhaustive // only valid answers count
		case mailing.OutcomeSent:
			o.Sent++
		case mailing.OutcomeRejected:
			o.Rejected++
		}
	}
	return o
}

// judge pauses the mailing of a window if the window is full and at least half of its
// outcomes are rejections. Outcomes of this sender that fill a window alone are judged
// without those of other senders.
func (s *Sender) judge(ctx context.Context, of window, o mailing.Outcomes) {
	if !o.Full() {
		var err error
		if o, err = s.store.CountOutcomes(ctx, of.mailing, of.began, o); err != nil {
			slog.WarnContext(ctx, "count outcomes", "mailing_id", of.mailing, "error", err)
			return
		}
	}
	if !o.Refused() {
		return
	}
	m, err := s.store.UpdateMailing(ctx, of.mailing, func(m mailing.Mailing) (mailing.Mailing, error) {
		return m.PausedForRejections(o, of.began, s.now()), nil
	})
	if err != nil {
		slog.ErrorContext(ctx, "pause a mailing that is mostly refused", "mailing_id", of.mailing, "error", err)
		return
	}
	s.mailings.know(m)
	if m.PausedBy == mailing.ByRejections {
		slog.ErrorContext(ctx, "mailing paused: the sending API refuses most of its messages", "mailing_id", of.mailing, "rejected", o.Rejected, "of", o.Total())
	}
}
