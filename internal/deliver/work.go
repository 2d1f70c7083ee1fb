package deliver

import (
	"slices"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// work is one claimed batch on its way through an invocation. Each slice has one entry
// for each member of the batch, in the same order.
type work struct {
	delivery int // the delivery's place in the invocation
	batch    mailing.Batch
	holder   string
	members  []mailing.Member
	waits    []mailing.Wait
	outcomes []mailing.Outcome
	// charged is how many members are charged for a lost claim; nothing is handed over
	// then. It is -1 if no claim was lost.
	charged int
	// started is the instant since which the mailing has been due, if this may be the
	// first batch of its slice that is handed over.
	started time.Time
	// begun holds when each hand-over began, took how long it took.
	begun []time.Time
	took  []time.Duration
	// plans holds the generation of the plan under which each member was decided on,
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
	n := len(b.Members)
	w := &work{
		delivery: delivery, batch: b, holder: holder, charged: -1,
		members: slices.Clone(b.Members), waits: make([]mailing.Wait, n), outcomes: make([]mailing.Outcome, n),
		begun: make([]time.Time, n), took: make([]time.Duration, n),
		plans: slices.Repeat([]int64{b.Plan}, n), untouched: make([]bool, n),
	}
	// After a lost claim, the batch may have been handed over before.
	if b.Claims == 1 && b.Losses == 0 {
		w.started = b.StartedAt
	}
	return w
}

// mailing returns the batch's mailing, or the one that its test message tests.
func (w *work) mailing() mailing.MailingID {
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

// recipients returns the clients of the pending members. A test message has none.
func (w *work) recipients() []mailing.ClientID {
	if w.batch.Test != nil {
		return nil
	}
	var ids []mailing.ClientID
	for _, mem := range w.batch.Members {
		if mem.Status.Pending() {
			ids = append(ids, mem.Client)
		}
	}
	return ids
}

// plan returns the oldest generation of the plan under which a pending member waits: an
// edit may have come between the decisions on two members.
func (w *work) plan() int64 {
	plan := slices.Max(w.plans)
	for i, mem := range w.members {
		if mem.Status.Pending() {
			plan = min(plan, w.plans[i])
		}
	}
	return plan
}

// release leaves all pending members for a later turn.
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
		Change: mailing.CountMembers(w.members).Minus(mailing.CountMembers(w.batch.Members)),
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
