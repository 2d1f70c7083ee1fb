package deliver

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"postrider/internal/mailing"
)

// claim claims what can be claimed. A refused delivery is taken off the queue:
// what it asked for is done, or is being done, or comes back by its due_at.
func (s *Sender) claim(ctx context.Context, inv *invocation, places []int) []*work {
	works := make([]*work, len(places))
	var wg sync.WaitGroup
	for n, i := range places {
		wg.Go(func() { works[n] = s.claimOne(ctx, inv, i) })
	}
	wg.Wait()
	return slices.DeleteFunc(works, func(w *work) bool { return w == nil })
}

func (s *Sender) claimOne(ctx context.Context, inv *invocation, i int) *work {
	d, holder := inv.deliveries[i], s.holder()
	b, ok, err := s.store.Claim(ctx, d.Key, holder, s.now(), inv.lease)
	if err != nil {
		// It may have been made, and only its answer lost: the same holder
		// is recognised, where giving up would count as an ambiguous try.
		b, ok, err = s.store.Claim(ctx, d.Key, holder, s.now(), inv.lease)
	}
	switch {
	case err != nil:
		slog.ErrorContext(ctx, "claim", "mailing_id", d.Key.Mailing, "batch", d.Key.String(), "error", err)
		inv.handling[i] = s.again(d, claimAgain)
		return nil
	case !ok:
		slog.DebugContext(ctx, "claim refused", "mailing_id", d.Key.Mailing, "batch", d.Key.String())
		return nil
	}
	return newWork(i, b, holder)
}

// unclaim takes claims back by which nothing was done.
func (s *Sender) unclaim(ctx context.Context, works []*work) {
	var wg sync.WaitGroup
	for _, w := range works {
		wg.Go(func() {
			if _, err := s.store.Unclaim(ctx, w.batch.Key, w.holder, s.now()); err != nil {
				// Its lease runs out; who claims next counts it as ambiguous.
				slog.ErrorContext(ctx, "take a claim back", "mailing_id", w.batch.Key.Mailing, "batch", w.batch.Key.String(), "error", err)
			}
		})
	}
	wg.Wait()
}

// putOff parks deliveries that cannot go now. What is left of a mailing that has
// ended or was cancelled goes nowhere any more: that is accounted for at once,
// however the sending API does.
func (s *Sender) putOff(ctx context.Context, inv *invocation, places []int) {
	var over, live []int
	for _, i := range places {
		if s.over(ctx, inv.deliveries[i].Key.Mailing) {
			over = append(over, i)
		} else {
			live = append(live, i)
		}
	}
	s.park(ctx, inv, live)
	s.work(ctx, inv, s.claim(ctx, inv, over))
}

// over tells whether nothing of a mailing may be handed over any more, as far as
// is known.
func (s *Sender) over(ctx context.Context, id mailing.MailingID) bool {
	if id == mailing.TestMailing {
		return false // each test message has a time of its own, which is short
	}
	m, err := s.mailings.get(ctx, id)
	return err == nil && m.Closed(s.now())
}

// park puts deliveries off at one write each. They leave the queue: their due_at
// brings them back.
func (s *Sender) park(ctx context.Context, inv *invocation, places []int) {
	var wg sync.WaitGroup
	for _, i := range places {
		wg.Go(func() {
			d, now := inv.deliveries[i], s.now()
			if _, err := s.store.Park(ctx, d.Key, now, now.Add(mailing.ParkTime)); err != nil {
				slog.ErrorContext(ctx, "park", "mailing_id", d.Key.Mailing, "batch", d.Key.String(), "error", err)
				inv.handling[i] = s.again(d, comeBack)
			}
		})
	}
	wg.Wait()
}

// poisonClaims is how many claims in a row may be left unsettled before a
// batch is held to be what kills its senders.
const poisonClaims = 5

// poisonCode is the last error of a message whose batch killed its senders.
const poisonCode = "poison"

// chargeLost counts earlier claims that were never settled as ambiguous tries.
func (s *Sender) chargeLost(ctx context.Context, works []*work) {
	now := s.now()
	for _, w := range works {
		lost := w.batch.Claims - 1
		if lost <= 0 {
			continue
		}
		slog.WarnContext(ctx, "earlier claims were left unsettled", "mailing_id", w.batch.Key.Mailing, "batch", w.batch.Key.String(), "claims", lost)
		for i, mem := range w.members {
			w.members[i] = mem.AfterLost(lost, now)
		}
	}
}

// condemn fails what is pending in batches that kill their senders.
func condemn(works []*work) {
	for _, w := range works {
		if w.batch.Claims <= poisonClaims {
			continue
		}
		for i, mem := range w.members {
			if mem.Status.Pending() {
				w.members[i].Status, w.members[i].Error = mailing.Failed, poisonCode
			}
		}
	}
}
