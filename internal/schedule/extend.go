package schedule

import (
	"context"
	"log/slog"
	"time"

	"postrider/internal/mailing"
)

// wasExtended reports whether settled batches of m may have to be kept longer than
// before. This work continues while m is paused: a pause may last longer than messages
// are kept.
func wasExtended(m mailing.Mailing) bool { return !m.Finished && !m.Deleted && !m.ExtendedAt.IsZero() }

// extend moves the time to live of the slice's settled batches, after the mailing's end
// was moved to a later instant. It updates state accordingly. It runs after the expansion,
// because it also has to reach the batches of the last pages. Batches that a sender may
// still settle by the earlier end are left to a later sweep. Until they are extended, the
// slice is not marked, and the mailing cannot be finished. more reports whether the turn
// ended first. The next turn begins at the first batch again, but does not move a batch
// twice.
func (s *Scheduler) extend(ctx context.Context, m mailing.Mailing, slice int, state *mailing.SliceState, until time.Time) (more bool, err error) {
	if !m.ExtendsNow(*state, s.clock.Now()) {
		return false, nil
	}
	held := 0
	for after := ""; ; {
		next, some, err := s.store.ExtendBatches(ctx, m, slice, after)
		if err != nil {
			return false, err
		}
		held += some
		if next == "" {
			break
		}
		if after = next; !s.clock.Now().Before(until) {
			return true, nil
		}
	}
	if held > 0 {
		slog.InfoContext(ctx, "held batches are kept longer after the next sweep", "mailing_id", m.ID, "slice", slice, "batches", held)
		return false, nil
	}
	if more, err := s.extendSeries(ctx, m, until); err != nil || more {
		return more, err
	}
	marked, err := s.store.MarkExtended(ctx, m, slice, *state)
	if marked {
		state.ExtendedAt = m.ExtendedAt
	}
	return false, err
}

// extendSeries moves the time to live of the counts over time of m in the same way. They
// belong to the whole mailing. Each slice with messages calls it, because no slice knows
// the others. After the first call there is nothing left to write. more reports whether
// the turn ended first.
func (s *Scheduler) extendSeries(ctx context.Context, m mailing.Mailing, until time.Time) (more bool, err error) {
	for after := ""; ; {
		if after, err = s.store.ExtendSeries(ctx, m, after); err != nil || after == "" {
			return false, err
		}
		if !s.clock.Now().Before(until) {
			return true, nil
		}
	}
}
