package faults_test

import (
	"fmt"
	"strings"
	"time"

	"postrider/internal/mailing"
)

// The rules of issue 11 that the service does not keep yet. Each is switched on
// by its line here.
const (
	// onlyTheBegunAreCharged: a lost claim is an uncertain attempt of those members
	// only that may have been begun under it (row 14).
	onlyTheBegunAreCharged = true
	// lostClaimsChargeOnce: claims that were lost in a row are one uncertain
	// attempt together.
	lostClaimsChargeOnce = false
	// doubtIsStoredFirst: a message is handed over again only after its uncertain
	// attempt was stored (row 1): not by the claim that finds the lost one.
	doubtIsStoredFirst = false
	// onlySentClearsDoubt: a message with an uncertain attempt ends as sent or as
	// uncertain (rows 4 and 13).
	onlySentClearsDoubt = false
	// retryTakesStatuses: a retry may name the statuses that it is for (row 3).
	retryTakesStatuses = false
	// slowReadsAreDecidedAgain: a sender whose read took long decides by what is so
	// then. Until it does, none of its reads takes more than a second, and those of
	// clients are not held.
	slowReadsAreDecidedAgain = false
	// forgivesEdits: a lost claim may charge members that the mailing allowed at no
	// time during it, if the mailing has changed or the client is gone since: who
	// settles it may not know any more how it was.
	forgivesEdits = false
)

// checkCharges demands of each message that its uncertain attempts are all
// accounted for: by calls of the sending API whose outcome is unknown, and by lost
// claims during whose time it might be handed over.
func (w *world) checkCharges(b books) {
	w.t.Helper()
	for _, batches := range b.batches {
		for _, batch := range batches {
			for _, mem := range batch.Members {
				w.checkMember(batch, mem)
			}
		}
	}
}

func (w *world) checkMember(batch mailing.Batch, mem mailing.Member) {
	w.t.Helper()
	id := mailing.NewMessageID(batch.Key.Mailing, mem.Client)
	if onlySentClearsDoubt && mem.Uncertain > 0 && !mem.Status.Pending() && mem.Status != mailing.Sent && mem.Status != mailing.Uncertain {
		w.t.Errorf("message %d has %d uncertain attempts, and ended as %s", id, mem.Uncertain, mem.Status)
	}
	if !onlyTheBegunAreCharged || batch.Key.Mailing == mailing.TestMailing {
		return
	}
	doubts := w.gate.ledger.doubtsOf(id)
	if mem.Uncertain <= doubts {
		return
	}
	runs := w.gate.ledger.lost(batch.Key)
	charged := 0
	for _, run := range runs {
		charged += w.charged(id, run)
	}
	if mem.Uncertain > doubts+charged {
		w.t.Errorf("message %d is %s with %d uncertain attempts (%s): %d calls of it are in doubt, and it may have been begun under %d of %d runs of lost claims,%s its mailing was%s",
			id, mem.Status, mem.Uncertain, mem.Error, doubts, charged, len(runs), described(runs), w.told(id.Mailing()))
	}
}

// charged is how many uncertain attempts of a message a run of lost claims may
// come to.
func (w *world) charged(id mailing.MessageID, run []*claim) int {
	n := 0
	for _, c := range run {
		if w.mayHaveBegun(id, c) {
			n++
		}
	}
	if lostClaimsChargeOnce {
		return min(n, 1)
	}
	return n
}

// mayHaveBegun tells whether a message might be handed over at any instant of a
// claim, as far as the test knows the mailing's history and the client.
func (w *world) mayHaveBegun(id mailing.MessageID, c *claim) bool {
	from, pending := c.members[id.Client()]
	p := w.audience[id.Client()]
	if !pending || p == nil {
		return false
	}
	moments := w.history[id.Mailing()]
	if forgivesEdits && (moments[len(moments)-1].from.After(c.from) || !p.gone.IsZero()) {
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
