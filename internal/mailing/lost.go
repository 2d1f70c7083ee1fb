package mailing

import (
	"slices"
	"time"
)

const (
	// LostCode is the last error of a message whose sender was lost: it claimed
	// the message's batch and never settled it.
	LostCode = "sender_lost"
	// PoisonCode is the last error of a message whose batch was lost by
	// [MaxLosses] senders in a row.
	PoisonCode = "poison"
	// MaxLosses is after how many lost claims in a row the messages of a batch
	// are not handed over again.
	MaxLosses = 5
	// Trust is how long a mailing or a client is decided by after the reading of
	// it began. A request that begins later needs a new decision.
	Trust = 2 * time.Second
)

// Lease is the time during which the holder of a claim may hand messages over.
type Lease struct {
	From, Until time.Time
}

// Recovered returns the members of b and what they wait for, after the claim
// [Batch.Lost] that no sender settled. Each member that this claim may have
// handed over is charged one uncertain attempt. The others stay as they are.
//
// A batch is handed over only under a claim that found no lost claim before it.
// So one attempt is right, however many later claims were lost, too: they can
// only have tried to do this.
//
// clients are those of the pending members as they are now, or were when they were
// deleted. charged is how many members were charged.
func (b Batch) Recovered(m Mailing, clients map[ClientID]Client, now time.Time) (members []Member, waits []Wait, charged int) {
	members, waits = slices.Clone(b.Members), make([]Wait, len(b.Members))
	for i, mem := range members {
		if !mem.Status.Pending() {
			continue
		}
		if !b.mayHaveBegun(m, clients, mem) {
			switch {
			case mem.NotBefore.IsZero():
				waits[i] = Wait{Kind: WaitTurn}
			case mem.Status == Deferred:
				waits[i] = Wait{Kind: WaitUntil, Until: mem.NotBefore}
			default:
				waits[i] = Wait{Kind: WaitLater, Until: mem.NotBefore}
			}
			continue
		}
		members[i], waits[i] = mem.lost(b.Losses+1, m, now), Wait{Kind: WaitRetry}
		charged++
	}
	return members, waits, charged
}

// lost returns mem after the losses-th lost claim in a row that may have handed
// it over.
func (mem Member) lost(losses int, m Mailing, now time.Time) Member {
	mem.Attempts++
	mem.Uncertain++
	mem.At, mem.Error = now, LostCode
	if losses >= MaxLosses {
		mem.Status, mem.Error = Uncertain, PoisonCode
		return mem
	}
	return mem.again(m, now)
}

// mayHaveBegun reports whether the lost claim of b may have handed mem over. It
// is false only where that is certain: what the claim's sender decided by must
// be known, and must forbid a hand-over for as long as the claim lasted.
func (b Batch) mayHaveBegun(m Mailing, clients map[ClientID]Client, mem Member) bool {
	if m.closedBefore(b.Lost.From.Add(-Trust)) {
		return false
	}
	if mem.NotBefore.After(b.Lost.Until) && (mem.Status != Deferred || b.Plan == m.Plan) {
		return false
	}
	if m.Plan > 0 && !m.PlannedAt.Before(b.Lost.From.Add(-Trust)) {
		return true // the sender may have decided by an earlier window or end
	}
	c, ok := clients[mem.Client]
	switch {
	case !ok || c.Timezone == "":
		return true // nothing is known of the client, or it is a test message
	case !c.GoneAt.IsZero() && c.GoneAt.Before(b.Lost.From.Add(-Trust)):
		return false
	case !c.ZoneSince.Before(b.Lost.From.Add(-Trust)):
		return true // the sender may have decided by an earlier zone
	}
	opens, _ := m.span(c, b.Lost.From)
	return !opens.After(b.Lost.Until)
}

// closedBefore reports whether nothing of m could be handed over at or after t,
// whatever state of m a sender had read by then.
func (m Mailing) closedBefore(t time.Time) bool {
	return !m.EndAt.After(t) || !m.CancelledAt.IsZero() && !m.CancelledAt.After(t)
}
