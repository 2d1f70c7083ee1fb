package deliver

import (
	"slices"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// work is one claimed batch on its way through an invocation.
type work struct {
	delivery int // its place in the invocation
	batch    mailing.Batch
	holder   string
	members  []mailing.Member
	waits    []mailing.Wait
	outcomes []mailing.Outcome
	// charged is how many members are charged for a lost claim: nothing is handed
	// over then. It is -1 if no claim was lost.
	charged int
	// started is since when the mailing has been due, if this may be the first
	// batch of its slice that is handed over.
	started time.Time
	// begun is when each hand-over began, took how long it took.
	begun []time.Time
	took  []time.Duration
	// plans are the mailing's plans that the members were decided on under;
	// untouched is whether the mailing was as it had been made.
	plans     []int64
	untouched []bool

	// reading guards the clients, and when they were read.
	reading sync.Mutex
	clients map[mailing.ClientID]mailing.Client
	read    time.Time
	readErr error

	// comes: it has come to the settlements of its slice.
	comes bool
	// settled: its settlement was written. change is by how much that changed the
	// counts.
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
	// A batch whose claim was lost may have been handed over before.
	if b.Claims == 1 && b.Losses == 0 {
		w.started = b.StartedAt
	}
	return w
}

// mailing returns the mailing that a batch is of, or that a test message tests.
func (w *work) mailing() mailing.MailingID {
	if w.batch.Test != nil {
		return w.batch.Test.Mailing
	}
	return w.batch.Key.Mailing
}

// decidedBy returns m as the batch is decided on.
func (w *work) decidedBy(m mailing.Mailing) mailing.Mailing {
	if w.batch.Test != nil {
		return m.ForTest(w.batch.CreatedAt)
	}
	return m
}

// recipients returns the clients of the pending members; a test message has none.
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

// plan returns the oldest plan that a pending member waits under: an edit may
// have come between the decisions on two members.
func (w *work) plan() int64 {
	plan := slices.Max(w.plans)
	for i, mem := range w.members {
		if mem.Status.Pending() {
			plan = min(plan, w.plans[i])
		}
	}
	return plan
}

// release leaves the pending members for another time.
func (w *work) release() {
	for i := range w.waits {
		w.waits[i] = mailing.Wait{Kind: mailing.WaitTurn}
	}
}

// settlement returns what the holder leaves of the batch.
func (w *work) settlement(now time.Time, jitter func(time.Duration) time.Duration) mailing.Settlement {
	settled := w.batch.Settled(w.members, w.waits, w.plan(), now, jitter)
	if w.charged >= 0 {
		// A claim under which nothing could begin was lost by no fault of the batch.
		settled.Losses = w.batch.Losses + min(w.charged, 1)
	}
	return mailing.Settlement{
		Batch: settled, Holder: w.holder,
		Change: mailing.CountMembers(w.members).Minus(mailing.CountMembers(w.batch.Members)),
	}
}

// count adds what happened to a batch. Its hand-overs have happened whatever
// became of its settlement; its messages have their statuses only by that. A
// mailing that was paused or edited was not handed over late by the service.
func (w *work) count(t *mailing.Tally) {
	t.Settled = t.Settled.Plus(w.change)
	for i, o := range w.outcomes {
		t.Attempt(o.Kind, w.took[i])
		if !w.started.IsZero() && w.untouched[i] && !w.begun[i].IsZero() {
			t.Lag(w.batch.Key.Mailing, w.begun[i].Sub(w.started))
		}
	}
}
