package schedule

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"postrider/internal/mailing"
)

// retry queues again the failures of a slice that are not newer than the mailing's last
// retry, and updates state accordingly. A batch that a sender holds is left to the next
// sweep. Until then the slice is not marked as retried, and the mailing cannot be
// finished. more reports whether the turn ended first. The next turn does not queue the
// same failures again: they are pending by then.
func (s *Scheduler) retry(ctx context.Context, m mailing.Mailing, slice int, state *mailing.SliceState, until time.Time) (more bool, err error) {
	left := 0
	for after := ""; ; {
		batches, next, err := s.store.SliceBatches(ctx, m.ID, slice, after)
		if err != nil {
			return false, err
		}
		held, err := s.requeueFailed(ctx, m, slice, state, batches)
		if mailing.KindOf(err) == mailing.KindConflict {
			// The mailing was cancelled, was deleted or has ended; or there was a later
			// retry, which has a task of its own.
			slog.InfoContext(ctx, "retry given up", "mailing_id", m.ID, "slice", slice, "reason", err)
			return false, nil
		}
		if err != nil {
			return false, err
		}
		left += held
		if next == "" {
			break
		}
		if after = next; !s.clock.Now().Before(until) {
			return true, nil
		}
		// The mailing is read again for each page: a cancellation, an end or a later
		// retry applies from the next page on.
		current, err := s.store.Mailing(ctx, m.ID)
		if err != nil {
			return false, err
		}
		if current.Finished || !current.RetriedAt.Equal(m.RetriedAt) || !current.Retries(*state, s.clock.Now()) {
			return false, nil
		}
		m = current
	}
	if left > 0 {
		slog.InfoContext(ctx, "failures of held batches wait for the next sweep", "mailing_id", m.ID, "slice", slice, "batches", left)
		return false, nil
	}
	if err := s.store.MarkRetried(ctx, m.ID, slice, m.RetriedAt); err != nil {
		return false, err
	}
	state.RetriedAt = m.RetriedAt
	return false, nil
}

// requeueFailed queues again those failures of some batches that the retry of m includes.
// It returns the number of batches that had to be left as they are. A
// [mailing.KindConflict] means that m has changed since it was read.
func (s *Scheduler) requeueFailed(ctx context.Context, m mailing.Mailing, slice int, state *mailing.SliceState, batches []mailing.Batch) (left int, err error) {
	var requeuings []mailing.Requeuing
	for _, b := range batches {
		r, ok := b.Requeued(m.Wants, s.clock.Now())
		switch {
		case !ok:
		case b.Holder != "":
			left++
		default:
			r.Batch.DueAt = s.clock.Now().Add(mailing.QueuedOverdueAfter)
			requeuings = append(requeuings, r)
		}
	}
	if len(requeuings) == 0 {
		return left, nil
	}
	lost, err := s.store.Requeue(ctx, m, slice, requeuings)
	if err != nil {
		return left, err
	}
	var keys []mailing.BatchKey
	for _, r := range requeuings {
		if !slices.Contains(lost, r.Batch.Key) {
			keys = append(keys, r.Batch.Key)
			slog.InfoContext(ctx, "failures of a batch queued again", about(r.Batch)...)
			state.Counts = state.Counts.Plus(r.Change)
		}
	}
	slog.InfoContext(ctx, "failures queued again", "mailing_id", m.ID, "slice", slice, "batches", len(keys))
	if err := s.deliveries.Queue(ctx, keys, 0); err != nil {
		// The batches are stored with a due_at, so the sweep queues them later.
		slog.WarnContext(ctx, "queue batches with failures again", "mailing_id", m.ID, "slice", slice, "error", err)
	}
	return left + len(lost), nil
}
