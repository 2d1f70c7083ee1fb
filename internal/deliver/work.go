package deliver

import (
	"sync"
	"time"

	"postrider/internal/mailing"
)

// work is one claimed batch on its way through an invocation.
type work struct {
	delivery *delivery
	batch    mailing.Batch
	holder   string
	// recipients has an entry for each recipient of the batch, in the same order.
	recipients []*recipient
	// charged is how many recipients are charged for a lost claim.
	charged int
	// started is the instant since which the mailing has been due, if this may be the
	// first batch of its slice that is handed over. It does not count after a lost claim:
	// then nothing is handed over, and the settlement clears the batch's StartedAt.
	started time.Time

	// mu guards clients and readAt (when the reading of them began) during hand-overs.
	mu      sync.Mutex
	clients map[mailing.ClientID]mailing.Client
	readAt  time.Time
	readErr error

	// settling is true when the batch has joined the settlements of its slice.
	settling bool
	// settled is true when its settlement was written. It changed the counts by change.
	settled bool
	change  mailing.Counts
}

// recipient is one recipient of a batch on its way through an invocation. During the
// hand-overs of a batch, one goroutine uses it; all of them may read wasPending.
type recipient struct {
	state mailing.Recipient
	// wasPending is true if the message was pending when the batch was claimed.
	wasPending bool
	// wait is what the message waits for while it is pending. It waits for its turn until
	// a decision or an outcome says otherwise.
	wait mailing.Wait
	// outcome is the result of the hand-over, the zero value if there was none.
	outcome mailing.Outcome
	// begun is when the hand-over began, and took is how long it took.
	begun time.Time
	took  time.Duration
	// generation is the one under which the message was decided on. untouched is true if
	// the mailing was then still as it had been created.
	generation int64
	untouched  bool
}

func newWork(d *delivery, b mailing.Batch, holder string) *work {
	w := &work{delivery: d, batch: b, holder: holder, started: b.StartedAt}
	for _, rec := range b.Recipients {
		w.recipients = append(w.recipients, &recipient{
			state: rec, wasPending: rec.Status.Pending(), wait: mailing.Wait{Kind: mailing.WaitTurn}, generation: b.Generation,
		})
	}
	return w
}

// lostClaim reports whether the batch's last claim was never settled.
func (w *work) lostClaim() bool { return w.batch.Claims > 1 }

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

// messageID returns the id of a recipient's message.
func (w *work) messageID(r *recipient) mailing.MessageID {
	return mailing.NewMessageID(w.batch.Key.Mailing, r.state.Client)
}

// clientIDs returns the clients of the recipients that were pending when the batch was
// claimed. A test message has no client.
func (w *work) clientIDs() []mailing.ClientID {
	if w.batch.Test != nil {
		return nil
	}
	var ids []mailing.ClientID
	for _, r := range w.recipients {
		if r.wasPending {
			ids = append(ids, r.state.Client)
		}
	}
	return ids
}

// pending returns the recipients whose messages are pending now.
func (w *work) pending() []*recipient {
	var all []*recipient
	for _, r := range w.recipients {
		if r.state.Status.Pending() {
			all = append(all, r)
		}
	}
	return all
}

// generation returns the oldest generation under which a pending message waits: an edit
// may have come between the decisions on two messages.
func (w *work) generation() (g int64) {
	for _, r := range w.recipients {
		g = max(g, r.generation)
	}
	for _, r := range w.pending() {
		g = min(g, r.generation)
	}
	return g
}

// settlement returns the batch as its holder leaves it, and the change of the counts.
func (w *work) settlement(now time.Time, jitter func(time.Duration) time.Duration) mailing.Settlement {
	states, waits := make([]mailing.Recipient, len(w.recipients)), make([]mailing.Wait, len(w.recipients))
	for i, r := range w.recipients {
		states[i], waits[i] = r.state, r.wait
	}
	settled := w.batch.Settled(states, waits, w.generation(), now, jitter)
	if w.lostClaim() {
		// A lost claim counts against the batch only if a hand-over may have begun.
		settled.Losses = w.batch.Losses + min(w.charged, 1)
	}
	return mailing.Settlement{
		Batch: settled, Holder: w.holder,
		Change: mailing.CountRecipients(states).Minus(mailing.CountRecipients(w.batch.Recipients)),
	}
}

// count adds what happened to the batch to t. Hand-overs count even if the settlement
// failed; messages have a new status only by the settlement. A message has no lag if
// its mailing was paused or edited: the service did not cause that delay.
func (w *work) count(t *mailing.Tally) {
	t.Settled = t.Settled.Plus(w.change)
	for _, r := range w.recipients {
		t.Attempt(r.outcome.Kind, r.took)
		if !w.started.IsZero() && r.untouched && !r.begun.IsZero() {
			t.Lag(w.batch.Key.Mailing, r.begun.Sub(w.started))
		}
	}
}
