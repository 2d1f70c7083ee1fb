package deliver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// begin claims the batches of the deliveries at places, side by side. Each batch goes
// on to its hand-over as soon as its own claim is made. begin returns when all claims
// are made; all is then the number of pending messages in the claimed batches. done
// reaches zero when the batches are settled. alone means that no other batch is under
// way: only then a batch whose last sender was lost may be handed over.
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

// take claims the batch of delivery i and takes it through hand-over and settlement. It
// calls claimed with the number of pending messages as soon as the batch is claimed.
// The caller has announced a settlement of the batch's slice; take withdraws the
// announcement if the batch does not come to its settlement.
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
		// The batch itself may have killed its last sender: it waits until it can go
		// alone.
		s.unclaim(ctx, w)
		inv.suspect(i)
	default:
		claimed(mailing.CountRecipients(w.members).Pending())
		s.process(ctx, inv, w)
	}
}

// claim claims the batch of a delivery. If the batch is not claimed, it returns nil and
// notes what becomes of the delivery. A delivery whose claim is refused is taken off
// the queue: its batch is done, or another sender works on it, or the batch is queued
// again by its due_at. [Sender.refused] has the exception.
func (s *Sender) claim(ctx context.Context, inv *invocation, i int) *work {
	d, holder := inv.deliveries[i], s.holder()
	if s.debt.any() {
		inv.handling[i] = s.again(d, claimAgain)
		return nil
	}
	b, ok, err := s.store.Claim(ctx, d.Key, holder, s.now(), inv.lease)
	if err != nil {
		// The claim may have been written although its answer was lost. The store
		// recognizes the same holder; giving up would leave a lost claim, which counts
		// as an uncertain attempt.
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

// refused returns what becomes of a delivery whose claim was refused. If the delivery
// came before its batch may be claimed, perhaps because another clock is ahead, it
// comes back at that time, at most comeBack later. Otherwise it is taken off the queue.
func (s *Sender) refused(d mailing.Delivery, b mailing.Batch) mailing.Handling {
	now := s.now()
	early := b.NotBefore.Sub(now)
	if b.DueAt.IsZero() || b.LeaseUntil.After(now) || early <= 0 || early > comeBack {
		return mailing.Handling{}
	}
	return s.again(d, early)
}

// unclaim takes back a claim under which nothing was handed over.
func (s *Sender) unclaim(ctx context.Context, w *work) {
	if _, err := s.store.Unclaim(ctx, w.batch.Key, w.holder, s.now()); err != nil {
		// The lease runs out, and the next sender charges the messages for a lost
		// claim.
		slog.ErrorContext(ctx, "take a claim back", "mailing_id", w.batch.Key.Mailing, "batch", w.batch.Key.String(), "error", err)
	}
}

// admitted returns the places of the deliveries whose mailings allow a hand-over now. A
// delivery of a paused mailing is taken off the queue without a write: after a resume,
// every batch that was queued before it is queued again.
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

// paused reports whether a mailing is paused and not closed. Any recent reading is
// enough for "not paused". But a delivery is taken off the queue only by a reading that
// began after the invocation did: an earlier one may be older than a resume, and this
// delivery may be the one that the resume has queued.
func (s *Sender) paused(ctx context.Context, inv *invocation, id mailing.ID) (bool, error) {
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

// putOff handles deliveries while the sending API is down. They are taken off the
// queue, and the batches are queued again when the API works again. Batches of a closed
// mailing (ended, cancelled or deleted) need no sending API: they are settled at once.
func (s *Sender) putOff(ctx context.Context, inv *invocation, places []int) {
	_, shared := s.trouble.down()
	var closed []int
	for _, i := range places {
		d := inv.deliveries[i]
		switch {
		case s.over(ctx, d.Key.Mailing):
			closed = append(closed, i)
		case !shared:
			// The scheduler does not know of the outage and would not queue the batch
			// again.
			inv.handling[i] = s.again(d, comeBack)
		}
	}
	var done sync.WaitGroup
	s.begin(ctx, inv, closed, &done, true) // none of their messages is handed over
	done.Wait()
}

// over reports whether a mailing is known to be closed, so that none of its messages
// may be handed over. It reports false if the mailing cannot be read.
func (s *Sender) over(ctx context.Context, id mailing.ID) bool {
	if id == mailing.TestMailing {
		return false // each test message has its own end, which is near
	}
	m, _, err := s.mailings.get(ctx, id)
	return err == nil && m.Closed(s.now())
}

// again returns a handling by which a delivery comes back after a time. At its last
// receive the delivery is taken off the queue instead, because the queue would make it
// a dead letter. Its batch is then queued again by its due_at.
func (s *Sender) again(delivery mailing.Delivery, after time.Duration) mailing.Handling {
	if delivery.Receives >= s.config.MaxReceives {
		return mailing.Handling{}
	}
	return mailing.Handling{Again: true, After: after}
}
