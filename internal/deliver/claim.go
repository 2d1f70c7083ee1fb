package deliver

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"postrider/internal/mailing"
)

// startBatches claims the batches of deliveries, side by side. The hand-over of each batch
// begins as soon as its own claim is made. startBatches returns when all claims are made
// or refused. pending is the number of pending messages in the claimed batches. done
// counts the batches that are not settled yet. alone says that no other batch is handed
// over at the same time: only then a batch with Losses may be handed over.
func (s *Sender) startBatches(
	ctx context.Context, inv *invocation, deliveries []*delivery, done *sync.WaitGroup, alone bool,
) (pending int) {
	var (
		claims sync.WaitGroup
		total  atomic.Int64
	)
	for _, d := range deliveries {
		inv.settlements.expect(sliceOf(d.Key))
	}
	for _, d := range deliveries {
		claims.Add(1)
		claimed := sync.OnceFunc(claims.Done)
		done.Go(func() {
			defer claimed()
			s.workOn(ctx, inv, d, alone, func(pending int64) {
				total.Add(pending)
				claimed()
			})
		})
	}
	claims.Wait()
	return int(total.Load())
}

// workOn claims the batch of a delivery and takes it through hand-over and settlement. It
// calls claimed with the number of pending messages as soon as the batch is claimed,
// unless the batch has to wait until it can be handed over alone. The caller has announced
// a settlement of the batch's slice. workOn withdraws the announcement if it settles
// nothing.
func (s *Sender) workOn(ctx context.Context, inv *invocation, d *delivery, alone bool, claimed func(pending int64)) {
	w := s.claim(ctx, inv, d)
	defer func() {
		if w == nil || !w.settling {
			inv.settlements.withdraw(sliceOf(d.Key))
		}
	}()
	switch {
	case w == nil:
	case w.batch.Claims == 1 && w.batch.Losses > 0 && !alone:
		// The batch itself may have killed its last sender: it waits until it can be
		// handed over alone.
		s.unclaim(ctx, w)
		inv.suspect(d)
	default:
		claimed(mailing.CountRecipients(w.batch.Recipients).Pending())
		s.process(ctx, inv, w)
	}
}

// claim claims the batch of a delivery. If the batch is not claimed, it sets the
// delivery's handling and returns nil. A delivery whose claim is refused is taken off the
// queue: its batch is done, or another sender works on the batch, or a sweep queues the
// batch when it is due. [Sender.refused] describes the exception.
func (s *Sender) claim(ctx context.Context, inv *invocation, d *delivery) *work {
	// An invocation that stood still for so long that it could not hand over any more
	// claims nothing: if that claim were lost, it would only keep the batch from others.
	if s.unsettled.any() || !s.now().Before(inv.until) {
		d.handling = s.comeBackAfter(d, claimRetry)
		return nil
	}
	holder := s.config.Holder()
	b, ok, err := s.store.Claim(ctx, d.Key, holder, s.now(), inv.lease)
	if err != nil {
		// The claim may have been written although its answer was lost. The store
		// recognizes the same holder. Without this try the claim might be lost, and its
		// messages charged with uncertain attempts.
		b, ok, err = s.store.Claim(ctx, d.Key, holder, s.now(), inv.lease)
	}
	switch {
	case err != nil:
		slog.ErrorContext(ctx, "claim a batch", "mailing_id", d.Key.Mailing, "batch", d.Key.String(), "error", err)
		d.handling = s.comeBackAfter(d, claimRetry)
		return nil
	case !ok:
		slog.DebugContext(ctx, "claim refused", "mailing_id", d.Key.Mailing, "batch", d.Key.String())
		d.handling = s.refused(d, b)
		return nil
	}
	return newWork(d, b, holder)
}

// refused returns the handling of a delivery whose claim was refused. A delivery may come
// too early because the clocks of senders differ. If it came up to maxHidden before the
// batch may be claimed, it comes back at that time. Any other delivery is taken off the
// queue.
func (s *Sender) refused(d *delivery, b mailing.Batch) mailing.Handling {
	now := s.now()
	early := b.NotBefore.Sub(now)
	if b.DueAt.IsZero() || b.LeaseUntil.After(now) || early <= 0 || early > maxHidden {
		return mailing.Handling{}
	}
	return s.comeBackAfter(d, early)
}

// unclaim takes back a claim under which nothing was handed over.
func (s *Sender) unclaim(ctx context.Context, w *work) {
	if _, err := s.store.Unclaim(ctx, w.batch.Key, w.holder, s.now()); err != nil {
		// The lease runs out, and the next sender charges the messages for a lost
		// claim.
		slog.ErrorContext(ctx, "take a claim back",
			"mailing_id", w.batch.Key.Mailing, "batch", w.batch.Key.String(), "error", err)
	}
}

// withoutPaused returns the deliveries whose mailings are not paused. A delivery of a
// paused mailing is taken off the queue without a write: after the resume, the scheduler
// queues again every batch that was queued before the resume.
func (s *Sender) withoutPaused(ctx context.Context, inv *invocation) (rest []*delivery) {
	for _, d := range inv.deliveries {
		paused, err := s.isPaused(ctx, inv, d.Key.Mailing)
		switch {
		case err != nil:
			slog.ErrorContext(ctx, "read a delivery's mailing", "mailing_id", d.Key.Mailing, "error", err)
			d.handling = s.comeBackAfter(d, claimRetry)
		case !paused:
			rest = append(rest, d)
		}
	}
	return rest
}

// isPaused reports whether a mailing is paused and not closed. A cached reading is enough
// to find that the mailing is not paused. To find that it is paused, the reading must have
// begun in this invocation: an older reading may be from before a resume, and that resume
// may have queued this very delivery.
func (s *Sender) isPaused(ctx context.Context, inv *invocation, id mailing.ID) (bool, error) {
	if id == mailing.TestMailing {
		return false, nil
	}
	pausedNow := func(m mailing.Mailing) bool { return m.Status == mailing.StatusPaused && !m.Closed(s.now()) }
	m, _, err := s.mailings.get(ctx, id)
	if err != nil || !pausedNow(m) {
		return false, err
	}
	if known, ok := inv.paused[id]; ok {
		return known, nil
	}
	m, _, err = s.mailings.reload(ctx, id)
	if err == nil {
		inv.paused[id] = pausedNow(m)
	}
	return pausedNow(m), err
}

// skipOutage handles deliveries while the sending API is down. They are taken off the
// queue. After the outage, a sweep queues their batches again. Batches of a closed mailing
// (ended, cancelled or deleted) do not need the sending API: they are settled at once.
func (s *Sender) skipOutage(ctx context.Context, inv *invocation, deliveries []*delivery) {
	_, shared := s.breaker.down()
	var closed []*delivery
	for _, d := range deliveries {
		switch {
		case s.isClosed(ctx, d.Key.Mailing):
			closed = append(closed, d)
		case !shared:
			// The scheduler does not know of the outage and would not queue the batch
			// again.
			d.handling = s.comeBackAfter(d, maxHidden)
		}
	}
	var done sync.WaitGroup
	s.startBatches(ctx, inv, closed, &done, true) // none of their messages is handed over
	done.Wait()
}

// isClosed reports whether a mailing is known to be closed, so that none of its messages
// may be handed over. It reports false if the mailing cannot be read.
func (s *Sender) isClosed(ctx context.Context, id mailing.ID) bool {
	if id == mailing.TestMailing {
		return false // each test message has its own end, which is near
	}
	m, _, err := s.mailings.get(ctx, id)
	return err == nil && m.Closed(s.now())
}

// comeBackAfter returns the handling by which a delivery comes back after a time. At its
// last receive the delivery is taken off the queue instead, because the queue would make
// it a dead letter. A sweep then queues the batch again when the batch is due.
func (s *Sender) comeBackAfter(d *delivery, after time.Duration) mailing.Handling {
	if d.Receives >= s.config.MaxReceives {
		return mailing.Handling{}
	}
	return mailing.Handling{Again: true, After: after}
}
