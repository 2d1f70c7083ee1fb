package mailing

import (
	"slices"
	"time"
)

const (
	// LostCode is the last error of a message whose sender was lost: the sender claimed
	// the message's batch and never settled it.
	LostCode = "sender_lost"
	// PoisonCode is the last error of a message whose batch was lost by [MaxLosses]
	// senders in a row.
	PoisonCode = "poison"
	// MaxLosses is the [Batch.Losses] from which on a recovery ends each message that it
	// charges, as [Uncertain].
	MaxLosses = 5
	// Trust is how long decisions may rely on a mailing or a client, counted from the
	// beginning of its reading. A request that begins later needs a new decision.
	Trust = 2 * time.Second
)

// Lease is the time during which the holder of a claim may hand messages over.
type Lease struct {
	From, Until time.Time
}

// Recovered returns the recipients of b and their waits, after the claim [Batch.Lost] that
// no sender settled. It charges one uncertain attempt to each message that this claim may
// have handed over. A message that was deferred by an old zone of its client is free to be
// decided again. The other messages stay as they are.
//
// A sender hands messages over only if no claim before its own was lost. So one attempt is
// the right charge, even if several later claims were lost, too: their senders can only
// have begun this recovery.
//
// clients are the clients of the pending messages: as they are now, or as they were when
// they were deleted. charged is the number of messages that were charged.
func (b Batch) Recovered(m Mailing, clients map[ClientID]Client, now time.Time) (recipients []Recipient, waits []Wait, charged int) {
	recipients, waits = slices.Clone(b.Recipients), make([]Wait, len(b.Recipients))
	for i, rec := range recipients {
		if !rec.Status.Pending() {
			continue
		}
		if !b.mayHaveBegun(m, clients, rec) {
			switch {
			case rec.Status == Deferred && clients[rec.Client].zoneEditedSince(rec.At):
				recipients[i].NotBefore, waits[i] = time.Time{}, Wait{Kind: WaitTurn}
			case rec.NotBefore.IsZero():
				waits[i] = Wait{Kind: WaitTurn}
			case rec.Status == Deferred:
				waits[i] = Wait{Kind: WaitUntil, Until: rec.NotBefore}
			default:
				waits[i] = Wait{Kind: WaitLater, Until: rec.NotBefore}
			}
			continue
		}
		recipients[i], waits[i] = rec.lost(b.Losses+1, m, now), Wait{Kind: WaitRetry}
		charged++
	}
	return recipients, waits, charged
}

// zoneEditedSince reports whether a decision that was stored at t may have used an earlier
// zone of the client.
func (c Client) zoneEditedSince(t time.Time) bool {
	return !c.ZoneSince.IsZero() && c.ZoneSince.After(t.Add(-MaxPageTime))
}

// lost returns rec after a lost claim that may have handed it over. losses is the
// [Batch.Losses] after this recovery.
func (rec Recipient) lost(losses int, m Mailing, now time.Time) Recipient {
	rec.Attempts++
	rec.Uncertain++
	rec.At, rec.Error = now, LostCode
	if losses >= MaxLosses {
		rec.Status, rec.Error = Uncertain, PoisonCode
		return rec
	}
	return rec.again(m, now)
}

// mayHaveBegun reports whether the lost claim of b may have handed rec over. It returns
// false only if a hand-over was certainly impossible: the state by which the lost sender
// decided is known, and forbids the hand-over for as long as the claim lasted.
func (b Batch) mayHaveBegun(m Mailing, clients map[ClientID]Client, rec Recipient) bool {
	// A sender that was frozen between its decision to claim and the claim may write a
	// lease that has ended already. It then has no time left for a hand-over.
	leaseWasOver := !b.Lost.Until.After(b.Lost.From)
	if leaseWasOver || m.closedBefore(b.Lost.From.Add(-Trust)) {
		return false
	}
	if rec.NotBefore.After(b.Lost.Until) && (rec.Status != Deferred || b.Generation == m.Generation) {
		return false
	}
	if m.Generation > 0 && !m.GenerationAt.Before(b.Lost.From.Add(-Trust)) {
		return true // the sender may have decided by an earlier window or end
	}
	c, ok := clients[rec.Client]
	switch {
	case !ok || c.Timezone == "":
		return true // the client is unknown, or this is a test message
	case !c.GoneAt.IsZero() && c.GoneAt.Before(b.Lost.From.Add(-Trust)):
		return false
	case !c.ZoneSince.Before(b.Lost.From.Add(-Trust)):
		return true // the sender may have decided by an earlier zone
	}
	opens, _ := m.span(c, b.Lost.From)
	return !opens.After(b.Lost.Until)
}

// closedBefore reports whether a sender that read m at or after t found it closed. Such a
// sender knew the present end: an edit can only move an end to an instant after the edit.
func (m Mailing) closedBefore(t time.Time) bool {
	return !m.EndAt.After(t) || !m.CancelledAt.IsZero() && !m.CancelledAt.After(t)
}
