package deliver

import (
	"sync"
	"time"

	"postrider/internal/mailing"
)

// work is the state of one claimed batch in an invocation.
type work struct {
	delivery *delivery
	batch    mailing.Batch
	holder   string
	// recipients has an entry for each recipient of the batch, in the same order.
	recipients []*recipient
	// charged is the number of recipients that are charged for a lost claim.
	charged int
	// started is the instant since which the mailing has been due. It is zero unless this
	// may be the first batch of its slice that is handed over. After a lost claim it has
	// no effect: nothing is handed over, and the settlement clears the batch's StartedAt.
	started time.Time

	// mu guards clients and readAt during hand-overs. Before them, [Sender.read] writes
	// both without mu.
	mu      sync.Mutex
	clients map[mailing.ClientID]mailing.Client
	// readAt is the instant at which the reading of clients began.
	readAt  time.Time
	readErr error

	// settling is true after the batch has joined the settlements of its slice.
	settling bool
	// settled is true after the batch's settlement was written.
	settled bool
	// change is the change of the counts by that settlement.
	change mailing.Counts
}

// recipient is the state of one recipient of a batch in an invocation. During the
// hand-overs of the batch, each recipient belongs to one goroutine, and no other one reads
// it.
type recipient struct {
	state mailing.Recipient
	// wasPending is true if the message was pending when the batch was claimed.
	wasPending bool
	// wait is what the message waits for while it is pending. It is [mailing.WaitTurn]
	// until a decision or an outcome sets it.
	wait mailing.Wait
	// outcome is the result of the hand-over, the zero value if there was none.
	outcome mailing.Outcome
	// begun is when the hand-over began, and took is how long it took.
	begun time.Time
	took  time.Duration
	// generation is the mailing's generation at the last decision on the message, or else
	// the batch's generation. untouched is true if the mailing was unchanged since its
	// creation at that decision.
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

// lostClaim reports whether an earlier claim of the batch was lost and is not settled yet.
func (w *work) lostClaim() bool { return w.batch.Claims > 1 }

// mailing returns the mailing whose text is sent: the batch's mailing, or the mailing that
// a test message tests.
func (w *work) mailing() mailing.ID {
	if w.batch.Test != nil {
		return w.batch.Test.Mailing
	}
	return w.batch.Key.Mailing
}

// decidedBy returns the mailing by which the messages are decided. That is m, but without
// its times and window for a test message.
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
	// The batch does not change. The states of the recipients do: see recipient.
	for _, rec := range w.batch.Recipients {
		if rec.Status.Pending() {
			ids = append(ids, rec.Client)
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

// generation returns the oldest generation under which a pending message waits, or else
// the newest generation of all messages. Generations differ if the mailing was edited
// between the decisions on two messages.
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

// count adds the hand-overs and the settlement of the batch to t. Hand-overs count even if
// the settlement failed. New statuses count only if the settlement was written. A message
// has no start lag if its mailing was paused or edited: the service did not cause that
// delay.
func (w *work) count(t *mailing.Tally) {
	t.Settled = t.Settled.Plus(w.change)
	for _, r := range w.recipients {
		t.Attempt(r.outcome.Kind, r.took)
		if !w.started.IsZero() && r.untouched && !r.begun.IsZero() {
			t.Lag(w.batch.Key.Mailing, r.begun.Sub(w.started))
		}
	}
}
