package deliver

import (
	"context"
	"log/slog"
	"sync"

	"postrider/internal/mailing"
)

// owed is the settlement of batches of one slice, as one transaction writes it.
type owed struct {
	key         sliceKey
	mailing     mailing.Mailing
	works       []*work
	settlements []mailing.Settlement
}

// debt holds the settlements of this environment that still failed when their
// invocation's time was over. While there are any, the environment claims no batch: it
// could not settle that one either. It is safe for concurrent use.
type debt struct {
	mu   sync.Mutex
	owed []owed
}

func (d *debt) add(o owed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.owed = append(d.owed, o)
}

func (d *debt) any() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.owed) > 0
}

// take returns the owed settlements and empties the debt.
func (d *debt) take() []owed {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.owed
	d.owed = nil
	return all
}

// settleDebt tries the owed settlements of earlier invocations once more, and reports
// whether settlements work. A batch whose lease was lost since then is settled by its
// new holder. If at least one settlement works, those that failed are given up: the
// next sender charges their batches for a lost claim. If none works, all are kept.
func (s *Sender) settleDebt(ctx context.Context, inv *invocation) bool {
	all := s.debt.take()
	worked := len(all) == 0
	for _, o := range all {
		if err := s.pay(ctx, o); err != nil {
			slog.ErrorContext(ctx, "settle what an earlier invocation left", "mailing_id", o.key.mailing, "slice", o.key.slice, "batches", len(o.works), "error", err)
			continue
		}
		worked = true
		for _, w := range o.works {
			inv.late = inv.late.Plus(w.change)
		}
	}
	if worked {
		return true
	}
	for _, o := range all {
		s.debt.add(o)
		inv.failed(len(o.works))
	}
	return false
}
