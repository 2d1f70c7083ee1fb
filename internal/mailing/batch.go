package mailing

import "time"

// Sizes of the units of work.
const (
	// BatchSize is the maximum number of messages in a batch.
	BatchSize = 50
	// PageSize is the maximum number of clients that one transaction expands.
	PageSize = 1000
	// maxPageBatches keeps a page inside one DynamoDB transaction (100 actions).
	maxPageBatches = 90
)

// Times after which waiting work comes back without a message in a queue.
const (
	// QueuedOverdueAfter is how long a queued batch may stay unclaimed before the sweep
	// queues it again.
	QueuedOverdueAfter = 5 * time.Minute
	// MaxOverdueAfter is the longest time between two sweeps that queue the same batch. The
	// time doubles up to it.
	MaxOverdueAfter = time.Hour
	// RetryOverdueAfter is the time from the instant of a batch's retry until the batch is
	// overdue.
	RetryOverdueAfter = time.Minute
	// ParkTime is how long a message waits if the provider caused the failure of its
	// hand-over, or is down.
	ParkTime = time.Minute
)

// Batch is the unit of work: messages of one mailing and slice that are stored, queued,
// claimed and settled together.
//
// A batch with a pending message has a DueAt. A batch without one has none.
type Batch struct {
	Key        BatchKey
	Recipients []Recipient
	CreatedAt  time.Time
	// Holder is the sender that alone may change the recipients until LeaseUntil.
	Holder     string
	LeaseUntil time.Time
	// Claims is the number of claims since the last settlement. More than one means that
	// claims were lost.
	Claims int
	// Lost is the first claim since the last settlement. That claim was lost if Claims is
	// more than one.
	Lost Lease
	// Losses is the number of recoveries in a row ([Batch.Recovered]) that charged a
	// message. A settlement that is no recovery sets it to 0.
	Losses int
	// Round is how often the batch was put off for a retry.
	Round int
	// NotBefore is the instant from which the batch may be claimed again.
	NotBefore time.Time
	// DueAt is when the batch is overdue: the sweep then queues it again.
	DueAt time.Time
	// Generation is the oldest generation under which a pending message of the batch was
	// deferred.
	Generation int64
	// StartedAt is the instant since which the mailing has been due. In each slice, only
	// the first batch that can be handed over at once has it. Its first settlement clears
	// it.
	StartedAt time.Time
	// Test is set on the batch of a test message. Such a batch has no other message.
	Test *Test
}

// Pending reports whether any message of the batch still waits for something.
func (b Batch) Pending() bool {
	for _, m := range b.Recipients {
		if m.Status.Pending() {
			return true
		}
	}
	return false
}

// IDs returns the messages of the batch and the clients that they go to, in the order of
// the recipients. Log lines contain these ids, so that a search finds them.
func (b Batch) IDs() (messages []MessageID, clients []ClientID) {
	for _, rec := range b.Recipients {
		messages = append(messages, NewMessageID(b.Key.Mailing, rec.Client))
		clients = append(clients, rec.Client)
	}
	return messages, clients
}

// SliceState is the progress of one slice of a mailing's audience, with the counts of its
// messages.
type SliceState struct {
	// Cursor is the last client that the expansion has looked at.
	Cursor ClientID
	// Done is true once the whole slice is expanded.
	Done   bool
	Counts Counts
	// RetriedAt marks the last retry that is done in this slice: it equals the mailing's
	// RetriedAt once the slice's failures have been queued again.
	RetriedAt time.Time
	// ExtendedAt marks the last later end that is applied in this slice: it equals the
	// mailing's ExtendedAt once the slice's settled batches have a longer time to live.
	ExtendedAt time.Time
	// Head is the first client of the first page with batches, HeadBatches the number of
	// batches of that page, and Batches that of the slice. See [SliceState.BatchIDs].
	Head                 ClientID
	HeadBatches, Batches int
}

// BatchIDs returns the ids of all batches of the slice, in storage order. ok is false if
// the state does not show them, because more than one page has batches. The pages of a
// deployment from before this count are not in it. So a reader must compare the number of
// messages in the batches with Counts.
func (s SliceState) BatchIDs() (ids []BatchID, ok bool) {
	if s.Batches != s.HeadBatches || s.Batches == 0 {
		return nil, false
	}
	for n := range s.Batches {
		ids = append(ids, BatchID{s.Head, n})
	}
	return ids, true
}

// Page is what one step of an expansion writes.
type Page struct {
	Mailing ID
	Slice   int
	// Seen is the cursor that the step started from. The page is written only if that is
	// still the stored cursor.
	Seen ClientID
	// Next is the last client that the step looked at.
	Next ClientID
	// Done is true if no page follows this one.
	Done    bool
	Batches []Batch
	Counts  Counts
}

// GroupPage groups clients (of one slice, in the order of ids) into batches. Clients whose
// windows open at the same instant share a batch. A message whose window is closed is
// deferred. If the mailing itself is closed, every message gets its terminal status at
// once. taken is how many of the clients fit into the page.
func GroupPage(m Mailing, slice int, clients []Client, now time.Time) (batches []Batch, counts Counts, taken int) {
	open := map[time.Time]int{} // opening instant -> index of the batch with free places
	for _, c := range clients {
		status, opens := firstStatus(m, c, now)
		i, ok := open[opens]
		if !ok || len(batches[i].Recipients) == BatchSize {
			if len(batches) == maxPageBatches {
				break
			}
			i = len(batches)
			open[opens] = i
			batches = append(batches, newBatch(m, BatchKey{m.ID, slice, BatchID{clients[0].ID, i}}, status, opens, now))
		}
		batches[i].Recipients = append(batches[i].Recipients, Recipient{Client: c.ID, Status: status, At: now, NotBefore: opens})
		counts.Count(status, 1)
		taken++
	}
	return batches, counts, taken
}

// firstStatus returns the status that a new message gets. opens is when its window opens;
// it is zero unless the message is deferred.
func firstStatus(m Mailing, c Client, now time.Time) (status MessageStatus, opens time.Time) {
	switch d := Decide(m, &c, Recipient{Client: c.ID, Status: Queued}, now); d.Action {
	case Finish:
		return d.Status, time.Time{}
	case Defer:
		return Deferred, d.Until
	case Send, Hold, Later:
	}
	return Queued, time.Time{}
}

// newBatch returns an empty batch whose messages begin with this status. It is due only
// if that status is pending.
func newBatch(m Mailing, key BatchKey, status MessageStatus, opens, now time.Time) Batch {
	b := Batch{Key: key, CreatedAt: now, Generation: m.Generation}
	switch {
	case status == Deferred:
		b.NotBefore, b.DueAt = opens, opens
	case status.Pending():
		b.DueAt = now.Add(QueuedOverdueAfter)
	}
	return b
}

// SliceStates holds the states of all slices of a mailing.
type SliceStates [Slices]SliceState

// Sum returns the sum of the slices.
func (states *SliceStates) Sum() Progress {
	p := Progress{Expanded: true}
	for _, state := range states {
		p.Counts = p.Counts.Plus(state.Counts)
		p.Expanded = p.Expanded && state.Done
	}
	return p
}

// Settlement is the result that a holder writes for a batch that it claimed.
type Settlement struct {
	Batch  Batch
	Holder string
	// Change is the difference that the settlement makes to the counts.
	Change Counts
}
