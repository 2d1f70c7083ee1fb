package deliver

import (
	"context"
	"log/slog"
	"sync"

	"postrider/internal/mailing"
)

// sliceSettlement is the settlement of batches of one slice, in one transaction.
type sliceSettlement struct {
	key         sliceKey
	mailing     mailing.Mailing
	works       []*work
	settlements []mailing.Settlement
}

// unsettled holds the settlements of this environment that still failed when their
// invocation's time was over. While there are any, the environment claims no batch,
// because it could not settle that batch either. It is safe for concurrent use.
type unsettled struct {
	mu  sync.Mutex
	all []sliceSettlement
}

func (u *unsettled) add(set sliceSettlement) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all = append(u.all, set)
}

func (u *unsettled) any() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.all) > 0
}

// take removes all settlements and returns them.
func (u *unsettled) take() []sliceSettlement {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := u.all
	u.all = nil
	return all
}

// settleEarlier tries the settlements that failed in earlier invocations once more, and
// reports whether settlements work. A batch whose lease was lost since then is settled by
// its new holder. If at least one settlement works, those that fail are given up: the next
// sender charges their messages for a lost claim. If all fail, all are kept.
func (s *Sender) settleEarlier(ctx context.Context, inv *invocation) bool {
	all := s.unsettled.take()
	worked := len(all) == 0
	for _, set := range all {
		if err := s.trySettle(ctx, set); err != nil {
			slog.ErrorContext(ctx, "settle batches of an earlier invocation", "mailing_id", set.key.mailing,
				"slice", set.key.slice, "batches", len(set.works), "error", err)
			continue
		}
		worked = true
		var change mailing.Counts
		for _, w := range set.works {
			change = change.Plus(w.change)
		}
		inv.earlier = inv.earlier.Plus(change)
		if set.key.mailing != mailing.TestMailing {
			s.countSettled(ctx, set.key.mailing, change)
		}
	}
	if worked {
		return true
	}
	for _, set := range all {
		s.unsettled.add(set)
		inv.settlementsFailed(len(set.works))
	}
	return false
}
