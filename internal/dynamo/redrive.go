package dynamo

import (
	"context"
	"slices"

	"postrider/internal/mailing"
)

// Redrive queues the failures named by dead letters of one mailing again, and reopens
// the mailing if it was completed, in one transaction. A letter is stale if the message
// no longer has that failure. A letter is kept if its batch has a holder, or if the
// transaction has no room for its batch.
//
// If nothing of the mailing can be tried again, the error is a [mailing.KindConflict]
// or [mailing.KindNotFound]. If another write comes in between in each of editTries
// tries, all letters are kept.
func (s *Store) Redrive(ctx context.Context, id mailing.ID, letters []mailing.DeadLetter) (m mailing.Mailing, r mailing.Redriving, err error) {
	done, err := s.repeat(ctx, editTries, func() (bool, error) {
		old, err := s.Mailing(ctx, id)
		if err != nil {
			return false, err
		}
		if m, err = old.Redriven(s.now()); err != nil {
			return false, err
		}
		// The batches are read after the mailing. If the mailing changes after it was
		// read, the write is refused, and everything is read again.
		var requeuings []mailing.Requeuing
		if r, requeuings, err = s.redriving(ctx, m, letters); err != nil {
			return false, err
		}
		return s.saveRedriven(ctx, old, m, requeuings)
	})
	switch {
	case err != nil:
		return mailing.Mailing{}, mailing.Redriving{}, err
	case !done:
		return mailing.Mailing{}, mailing.Redriving{Kept: letters}, nil
	}
	return m, r, nil
}

// redriving decides whether each letter is requeued, stale or kept, and returns the
// changed batches. Letters of the same batch make one change.
func (s *Store) redriving(ctx context.Context, m mailing.Mailing, letters []mailing.DeadLetter) (r mailing.Redriving, requeuings []mailing.Requeuing, err error) {
	batches := map[mailing.BatchKey]mailing.Batch{}
	wanted := map[mailing.BatchKey][]mailing.DeadLetter{}
	for _, l := range letters {
		b, n, err := s.batchOf(ctx, m, l.Message.Client())
		switch {
		case err != nil:
			return r, nil, err
		case n < 0 || !l.Is(b.Recipients[n]):
			r.Stale = append(r.Stale, l)
		// A held batch is not written, because its sender settles it as a whole. A
		// letter whose batch is chosen already needs no more room.
		case b.Holder != "" || (len(batches) == requeueBatches && wanted[b.Key] == nil):
			r.Kept = append(r.Kept, l)
		default:
			batches[b.Key] = b
			wanted[b.Key] = append(wanted[b.Key], l)
			r.Requeued = append(r.Requeued, l)
		}
	}
	for key, b := range batches {
		requeuing, _ := b.Requeued(func(rec mailing.Recipient) bool {
			return slices.ContainsFunc(wanted[key], func(l mailing.DeadLetter) bool {
				return l.Message.Client() == rec.Client && l.Is(rec)
			})
		}, s.now())
		requeuings = append(requeuings, requeuing)
	}
	return r, requeuings, nil
}

// saveRedriven writes the changed batches and the mailing. It reports false, and writes
// nothing, if one of them has changed since it was read. If no batch is changed, it
// does not write the mailing, either, and reports true.
func (s *Store) saveRedriven(ctx context.Context, old, updated mailing.Mailing, requeuings []mailing.Requeuing) (bool, error) {
	if len(requeuings) == 0 {
		return true, nil
	}
	writes, err := requeueWrites(requeuings)
	if err != nil {
		return false, err
	}
	items, err := s.batchItems(updated, writes)
	if err != nil {
		return false, err
	}
	saved, err := s.saveItems(old, updated)
	if err != nil {
		return false, err
	}
	return unlessRefused(s.transact(ctx, append(items, saved...), "redrive %d batches of mailing %d", len(requeuings), old.ID))
}
