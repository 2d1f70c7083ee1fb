package mailing

import "time"

// Tally counts the events of one invocation of the sender.
type Tally struct {
	// Settled is the sum of the changes that settlements made to counts. Its terminal
	// statuses are those in which messages ended. Batches that were not settled are not
	// in it.
	Settled Counts
	// Attempts counts the hand-overs that were begun, by outcome, whether or not they
	// could be settled. [OutcomeNotTried] does not count.
	Attempts map[OutcomeKind]int64
	// Latencies holds the duration of each hand-over in Attempts.
	Latencies []time.Duration
	// Lags holds the mailings of which a first batch ([Batch.StartedAt]) was handed over.
	// The value is the time from the instant at which the mailing was due to the hand-over.
	Lags map[ID]time.Duration
	// SettlementsFailed counts the settlements that failed until the invocation's time
	// was over. The next claim charges the messages that were handed over as uncertain.
	SettlementsFailed int64
	// BreakerOpen is true if, at the end, the breaker kept all messages from the sending
	// API.
	BreakerOpen bool
}

// Attempt adds one hand-over, unless it was not tried.
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

// Lag adds the time from the instant at which a mailing was due to the first hand-over of a
// batch. Of several times for one mailing, the shortest counts.
func (t *Tally) Lag(id ID, lag time.Duration) {
	if t.Lags == nil {
		t.Lags = map[ID]time.Duration{}
	}
	if known, ok := t.Lags[id]; !ok || lag < known {
		t.Lags[id] = max(0, lag)
	}
}

// MarkStart sets the StartedAt of the first batch that can be handed over at once. batches
// are the first batches of a slice. A mailing that was created after its start has been due
// since its creation.
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
