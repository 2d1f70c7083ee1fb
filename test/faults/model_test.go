package faults_test

import (
	"fmt"
	"strings"
	"time"

	"postrider/internal/mailing"
	"postrider/test/invariants"
)

// checkCharges demands that each uncertain attempt of a message is accounted for: by a
// call of the sending API whose outcome is unknown, or by lost claims during which the
// message might be handed over.
func (w *world) checkCharges(r invariants.Records) {
	w.t.Helper()
	for id := range w.history {
		for _, batch := range r.Mailings[id].Batches {
			for _, rec := range batch.Recipients {
				w.checkRecipient(batch.Key, rec)
			}
		}
	}
}

func (w *world) checkRecipient(key mailing.BatchKey, rec mailing.Recipient) {
	w.t.Helper()
	id := mailing.NewMessageID(key.Mailing, rec.Client)
	ambiguous := w.gate.ledger.ambiguousOf(id)
	if rec.Uncertain <= ambiguous {
		return
	}
	runs := w.gate.ledger.lost(key)
	charged := 0
	for _, run := range runs {
		charged += w.charged(id, run)
	}
	if rec.Uncertain > ambiguous+charged {
		w.t.Errorf("message %d is %s with %d uncertain attempts (%s): the outcome of %d calls is unknown, and a hand-over may have begun under %d of %d runs of lost claims,%s its mailing was%s",
			id, rec.Status, rec.Uncertain, rec.Error, ambiguous, charged, len(runs), described(runs), w.history[key.Mailing])
	}
}

// charged returns the largest number of uncertain attempts of a message that a run of
// lost claims accounts for.
func (w *world) charged(id mailing.MessageID, run []*claim) int {
	n := 0
	for _, c := range run {
		if w.mayHaveBegun(id, c) {
			n++
		}
	}
	return min(n, 1) // claims that are lost in a row count as one uncertain attempt
}

// mayHaveBegun reports whether a message might be handed over at any instant of a claim,
// as far as the test knows the mailing's history and the client.
func (w *world) mayHaveBegun(id mailing.MessageID, c *claim) bool {
	from, pending := c.recipients[id.Client()]
	p := w.audience[id.Client()]
	if !pending || p == nil {
		return false
	}
	states := w.history[id.Mailing()]
	// If a user has changed the mailing or the client since, the sender that settles the
	// claim may not know their earlier state any more. Instants are stored to the
	// millisecond.
	recent := c.from.Add(-invariants.Slack - time.Millisecond)
	if states[len(states)-1].From.After(recent) || p.ChangedAt().After(recent) {
		return true
	}
	if from.Before(c.from) {
		from = c.from
	}
	const often = 100 * time.Millisecond
	for at := from; at.Before(c.lease); at = at.Add(often) {
		if states.Forbidden(p, at) == "" {
			return true
		}
	}
	return false
}

func described(runs [][]*claim) string {
	var text strings.Builder
	for _, run := range runs {
		for _, c := range run {
			fmt.Fprintf(&text, " %s to %s", c.from.Format(time.TimeOnly), c.lease.Format(time.TimeOnly))
		}
		text.WriteString(";")
	}
	return text.String()
}
