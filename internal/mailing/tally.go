package mailing

import "time"

// Tally is what happened in one invocation of the sender.
type Tally struct {
	// Settled is by how much settlements changed counts: its terminal statuses
	// are what messages ended in. What was not settled is not in it.
	Settled Counts
	// Attempts are the hand-overs that were begun, by what they came to, whether
	// or not that could be settled. [OutcomeNotTried] is none.
	Attempts map[OutcomeKind]int64
	// Latencies are how long each of them took.
	Latencies []time.Duration
	// Lags are, of each mailing whose first batches were handed over, how long
	// after its start that began.
	Lags map[MailingID]time.Duration
	// SettlementsFailed are the settlements that failed until the invocation's time
	// was over: what was handed over is charged as uncertain by the next claim.
	SettlementsFailed int64
	// BreakerOpen: at the end, the breaker kept all messages from the sending API.
	BreakerOpen bool
}

// Attempt adds one hand-over.
func (t *Tally) Attempt(kind OutcomeKind, took time.Duration) {
	if kind == 0 || kind == OutcomeNotTried {
		return
	}
	if t.Attempts == nil {
		t.Attempts = map[OutcomeKind]int64{}
	}
	t.Attempts[kind]++
	t.Latencies = append(t.Latencies, max(0, took))
}

// Lag adds how long after its mailing's start a batch was first handed over; of
// one mailing the shortest counts.
func (t *Tally) Lag(id MailingID, lag time.Duration) {
	if t.Lags == nil {
		t.Lags = map[MailingID]time.Duration{}
	}
	if known, ok := t.Lags[id]; !ok || lag < known {
		t.Lags[id] = max(0, lag)
	}
}

// MarkStart notes on the first of a slice's first batches that can go at once
// since when its mailing has been due. A mailing that was made after its start
// is due since it was made.
func (m Mailing) MarkStart(batches []Batch) {
	since := m.StartAt
	if m.CreatedAt.After(since) {
		since = m.CreatedAt
	}
	for i, b := range batches {
		if b.Pending() && b.NotBefore.IsZero() {
			batches[i].StartedAt = since
			return
		}
	}
}
