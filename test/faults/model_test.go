package faults_test

import (
	"fmt"
	"strings"
	"time"

	"postrider/internal/mailing"
)

// checkCharges demands that each uncertain attempt of a message is accounted for: by a
// call of the sending API whose outcome is unknown, or by lost claims during which the
// message might be handed over.
func (w *world) checkCharges(b snapshot) {
	w.t.Helper()
	for _, batches := range b.batches {
		for _, batch := range batches {
			for _, rec := range batch.Recipients {
				w.checkRecipient(batch, rec)
			}
		}
	}
}

func (w *world) checkRecipient(batch mailing.Batch, rec mailing.Recipient) {
	w.t.Helper()
	id := mailing.NewMessageID(batch.Key.Mailing, rec.Client)
	if rec.Uncertain > 0 && !rec.Status.Pending() && rec.Status != mailing.Sent && rec.Status != mailing.Uncertain {
		w.t.Errorf("message %d has %d uncertain attempts, and ended as %s", id, rec.Uncertain, rec.Status)
	}
	if batch.Key.Mailing == mailing.TestMailing {
		return
	}
	doubts := w.gate.ledger.doubtsOf(id)
	if rec.Uncertain <= doubts {
		return
	}
	runs := w.gate.ledger.lost(batch.Key)
	charged := 0
	for _, run := range runs {
		charged += w.charged(id, run)
	}
	if rec.Uncertain > doubts+charged {
		w.t.Errorf("message %d is %s with %d uncertain attempts (%s): %d calls of it are in doubt, and it may have been begun under %d of %d runs of lost claims,%s its mailing was%s",
			id, rec.Status, rec.Uncertain, rec.Error, doubts, charged, len(runs), described(runs), w.timeline(id.Mailing()))
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
	from, pending := c.members[id.Client()]
	p := w.audience[id.Client()]
	if !pending || p == nil {
		return false
	}
	moments := w.history[id.Mailing()]
	// If a user has changed the mailing or the client since, the sender that settles the
	// claim may not know their earlier state any more. Instants are stored to the
	// millisecond.
	recent := c.from.Add(-slack - time.Millisecond)
	if moments[len(moments)-1].from.After(recent) || p.touched.After(recent) {
		return true
	}
	if from.Before(c.from) {
		from = c.from
	}
	const often = 100 * time.Millisecond
	for at := from; at.Before(c.lease); at = at.Add(often) {
		if w.forbidden(id.Mailing(), p, at) == "" {
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
