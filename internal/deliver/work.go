package deliver

import (
	"slices"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// work is one claimed batch on its way through an invocation. Each slice has one entry
// for each recipient of the batch, in the same order.
type work struct {
	delivery int // the delivery's place in the invocation
	batch    mailing.Batch
	holder   string
	members  []mailing.Recipient
	waits    []mailing.Wait
	outcomes []mailing.Outcome
	// charged is how many recipients are charged for a lost claim; nothing is handed over
	// then. It is -1 if no claim was lost.
	charged int
	// started is the instant since which the mailing has been due, if this may be the
	// first batch of its slice that is handed over.
	started time.Time
	// begun holds when each hand-over began, took how long it took.
	begun []time.Time
	took  []time.Duration
	// plans holds the generation under which each recipient was decided on,
	// untouched whether the mailing was then still as it had been made.
	plans     []int64
	untouched []bool

	// reading guards clients, and read (when they were read), during hand-overs.
	reading sync.Mutex
	clients map[mailing.ClientID]mailing.Client
	read    time.Time
	readErr error

	// comes is true when the batch has come to the settlements of its slice.
	comes bool
	// settled is true when its settlement was written. It changed the counts by change.
	settled bool
	change  mailing.Counts
}

func newWork(delivery int, b mailing.Batch, holder string) *work {
	n := len(b.Recipients)
	w := &work{
		delivery: delivery, batch: b, holder: holder, charged: -1,
		members: slices.Clone(b.Recipients), waits: make([]mailing.Wait, n), outcomes: make([]mailing.Outcome, n),
		begun: make([]time.Time, n), took: make([]time.Duration, n),
		plans: slices.Repeat([]int64{b.Generation}, n), untouched: make([]bool, n),
	}
	// After a lost claim, the batch may have been handed over before.
	if b.Claims == 1 && b.Losses == 0 {
		w.started = b.StartedAt
	}
	return w
}

// mailing returns the batch's mailing, or the one that its test message tests.
func (w *work) mailing() mailing.ID {
	if w.batch.Test != nil {
		return w.batch.Test.Mailing
	}
	return w.batch.Key.Mailing
}

// decidedBy returns m, for a test message without the mailing's times and window.
func (w *work) decidedBy(m mailing.Mailing) mailing.Mailing {
	if w.batch.Test != nil {
		return m.ForTest(w.batch.CreatedAt)
	}
	return m
}

// recipients returns the clients of the pending recipients. A test message has none.
func (w *work) recipients() []mailing.ClientID {
	if w.batch.Test != nil {
		return nil
	}
	var ids []mailing.ClientID
	for _, rec := range w.batch.Recipients {
		if rec.Status.Pending() {
			ids = append(ids, rec.Client)
		}
	}
	return ids
}

// plan returns the oldest generation under which a pending recipient waits: an
// edit may have come between the decisions on two recipients.
func (w *work) plan() int64 {
	generation := slices.Max(w.plans)
	for i, rec := range w.members {
		if rec.Status.Pending() {
			generation = min(generation, w.plans[i])
		}
	}
	return generation
}

// release leaves all pending recipients for a later turn.
func (w *work) release() {
	for i := range w.waits {
		w.waits[i] = mailing.Wait{Kind: mailing.WaitTurn}
	}
}

// settlement returns the batch as its holder leaves it, and the change of the counts.
func (w *work) settlement(now time.Time, jitter func(time.Duration) time.Duration) mailing.Settlement {
	settled := w.batch.Settled(w.members, w.waits, w.plan(), now, jitter)
	if w.charged >= 0 {
		// A lost claim counts against the batch only if a hand-over may have begun.
		settled.Losses = w.batch.Losses + min(w.charged, 1)
	}
	return mailing.Settlement{
		Batch: settled, Holder: w.holder,
		Change: mailing.CountRecipients(w.members).Minus(mailing.CountRecipients(w.batch.Recipients)),
	}
}

// count adds what happened to the batch to t. Hand-overs count even if the settlement
// failed; messages have a new status only by the settlement. A message has no lag if
// its mailing was paused or edited: the service did not cause that delay.
func (w *work) count(t *mailing.Tally) {
	t.Settled = t.Settled.Plus(w.change)
	for i, o := range w.outcomes {
		t.Attempt(o.Kind, w.took[i])
		if !w.started.IsZero() && w.untouched[i] && !w.begun[i].IsZero() {
			t.Lag(w.batch.Key.Mailing, w.begun[i].Sub(w.started))
		}
	}
}
