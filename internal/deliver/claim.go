package deliver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// begin claims the batches of some deliveries side by side, and lets each go its
// way as soon as it is claimed. It returns when all claims are made: all is the
// number of messages that may be handed over then. The batches are done when
// done is. alone means that no other batch is under way: then a batch whose last
// sender was lost may go, too.
func (s *Sender) begin(ctx context.Context, inv *invocation, places []int, done *sync.WaitGroup, alone bool) (all int) {
	var (
		claims sync.WaitGroup
		mu     sync.Mutex
	)
	for _, i := range places {
		inv.settlements.expect(sliceOf(inv.deliveries[i].Key))
	}
	for _, i := range places {
		claims.Add(1)
		claimed := sync.OnceFunc(claims.Done)
		done.Go(func() {
			defer claimed()
			s.take(ctx, inv, i, alone, func(pending int64) {
				mu.Lock()
				all += int(pending)
				mu.Unlock()
				claimed()
			})
		})
	}
	claims.Wait()
	mu.Lock()
	defer mu.Unlock()
	return all
}

// take claims the batch of a delivery and takes it through hand-over and
// settlement. claimed is called with its number of pending messages as soon as it
// is claimed. Its settlement was announced before: where it comes to none, it leaves.
func (s *Sender) take(ctx context.Context, inv *invocation, i int, alone bool, claimed func(pending int64)) {
	w := s.claim(ctx, inv, i)
	defer func() {
		if w == nil || !w.comes {
			inv.settlements.leave(sliceOf(inv.deliveries[i].Key))
		}
	}()
	switch {
	case w == nil:
	case w.batch.Claims == 1 && w.batch.Losses > 0 && !alone:
		s.unclaim(ctx, w)
		inv.suspect(i)
	default:
		claimed(mailing.CountMembers(w.members).Pending())
		s.process(ctx, inv, w)
	}
}

// claim claims the batch of a delivery; nil if that is refused. A refused
// delivery is taken off the queue: what it asked for is done, or is being done,
// or comes back by its due_at.
func (s *Sender) claim(ctx context.Context, inv *invocation, i int) *work {
	d, holder := inv.deliveries[i], s.holder()
	if s.debt.any() {
		inv.handling[i] = s.again(d, claimAgain)
		return nil
	}
	b, ok, err := s.store.Claim(ctx, d.Key, holder, s.now(), inv.lease)
	if err != nil {
		// It may have been made, and only its answer lost: the same holder
		// is recognised, where giving up would count as an uncertain attempt.
		b, ok, err = s.store.Claim(ctx, d.Key, holder, s.now(), inv.lease)
	}
	switch {
	case err != nil:
		slog.ErrorContext(ctx, "claim", "mailing_id", d.Key.Mailing, "batch", d.Key.String(), "error", err)
		inv.handling[i] = s.again(d, claimAgain)
		return nil
	case !ok:
		slog.DebugContext(ctx, "claim refused", "mailing_id", d.Key.Mailing, "batch", d.Key.String())
		inv.handling[i] = s.refused(d, b)
		return nil
	}
	return newWork(i, b, holder)
}

// refused returns what becomes of a delivery whose claim was refused. One that
// came before its time, perhaps by another clock, comes back when it is time.
func (s *Sender) refused(d mailing.Delivery, b mailing.Batch) mailing.Handling {
	now := s.now()
	early := b.NotBefore.Sub(now)
	if b.DueAt.IsZero() || b.LeaseUntil.After(now) || early <= 0 || early > comeBack {
		return mailing.Handling{}
	}
	return s.again(d, early)
}

// unclaim takes a claim back under which nothing was handed over.
func (s *Sender) unclaim(ctx context.Context, w *work) {
	if _, err := s.store.Unclaim(ctx, w.batch.Key, w.holder, s.now()); err != nil {
		// Its lease runs out; the next sender charges it as a lost claim.
		slog.ErrorContext(ctx, "take a claim back", "mailing_id", w.batch.Key.Mailing, "batch", w.batch.Key.String(), "error", err)
	}
}

// admitted returns those of some deliveries that may go now as far as their
// mailings are concerned. One of a paused mailing is taken off the queue without
// a write: once the mailing is resumed, all that was queued before is queued again.
func (s *Sender) admitted(ctx context.Context, inv *invocation, places []int) (live []int) {
	for _, i := range places {
		paused, err := s.paused(ctx, inv, inv.deliveries[i].Key.Mailing)
		switch {
		case err != nil:
			slog.ErrorContext(ctx, "read a delivery's mailing", "mailing_id", inv.deliveries[i].Key.Mailing, "error", err)
			inv.handling[i] = s.again(inv.deliveries[i], claimAgain)
		case !paused:
			live = append(live, i)
		}
	}
	return live
}

// paused reports whether a mailing is held still. That it is must have been read
// after the invocation began: a resume before that has queued this delivery.
func (s *Sender) paused(ctx context.Context, inv *invocation, id mailing.MailingID) (bool, error) {
	if id == mailing.TestMailing {
		return false, nil
	}
	held := func(m mailing.Mailing) bool { return m.Status == mailing.StatusPaused && !m.Closed(s.now()) }
	m, _, err := s.mailings.get(ctx, id)
	if err != nil || !held(m) {
		return false, err
	}
	if known, ok := inv.paused[id]; ok {
		return known, nil
	}
	m, _, err = s.mailings.reload(ctx, id)
	if err == nil {
		inv.paused[id] = held(m)
	}
	return held(m), err
}

// putOff leaves deliveries that cannot go while the sending API is down: they
// are taken off the queue, and queued again when it works. What is left of a
// mailing that has ended or was cancelled needs no sending API: that is accounted
// for at once.
func (s *Sender) putOff(ctx context.Context, inv *invocation, places []int) {
	_, shared := s.trouble.down()
	var closed []int
	for _, i := range places {
		d := inv.deliveries[i]
		switch {
		case s.over(ctx, d.Key.Mailing):
			closed = append(closed, i)
		case !shared:
			// The scheduler does not know, and would not queue it again.
			inv.handling[i] = s.again(d, comeBack)
		}
	}
	var done sync.WaitGroup
	s.begin(ctx, inv, closed, &done, true) // nothing of them is handed over
	done.Wait()
}

// over reports whether nothing of a mailing may be handed over any more, as far
// as is known.
func (s *Sender) over(ctx context.Context, id mailing.MailingID) bool {
	if id == mailing.TestMailing {
		return false // each test message has an end of its own, which is near
	}
	m, _, err := s.mailings.get(ctx, id)
	return err == nil && m.Closed(s.now())
}

// again lets a delivery come back after d, if the queue has receives left.
func (s *Sender) again(delivery mailing.Delivery, after time.Duration) mailing.Handling {
	if delivery.Receives >= s.config.MaxReceives {
		return mailing.Handling{}
	}
	return mailing.Handling{Again: true, After: after}
}
