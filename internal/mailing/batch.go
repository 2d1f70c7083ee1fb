package mailing

import "time"

// Sizes of the units of work.
const (
	// BatchSize is how many messages travel together at most.
	BatchSize = 50
	// PageSize is how many clients are expanded in one transaction at most.
	PageSize = 1000
	// maxPageBatches keeps a page inside one DynamoDB transaction (100 actions).
	maxPageBatches = 90
)

// Times at which work that waits comes back by itself.
const (
	// QueuedPatience is how long a queued batch may stay unclaimed before the
	// sweep queues it again.
	QueuedPatience = 5 * time.Minute
	// MaxPatience is what repeated sweeps of the same batch double up to.
	MaxPatience = time.Hour
	// RetryPatience is how long after its retry instant a batch is overdue.
	RetryPatience = time.Minute
	// ParkTime is how long a message waits after a hand-over that failed by the
	// provider's trouble.
	ParkTime = time.Minute
)

// Batch is the unit of work: messages of one mailing and slice that are
// stored, queued, claimed and settled together.
//
// A batch with anything pending has a DueAt; one with nothing pending has none.
type Batch struct {
	Key       BatchKey
	Members   []Member
	CreatedAt time.Time
	// Holder is the sender that may change the members until LeaseUntil.
	Holder     string
	LeaseUntil time.Time
	// Claims is how often it was claimed since it was last settled. More than one
	// means that claims were lost.
	Claims int
	// Lost is the first claim since it was last settled. It is a lost one where
	// Claims is more than one.
	Lost Lease
	// Losses is how many lost claims in a row were settled for their senders.
	Losses int
	// Round is how often it was put off for a retry.
	Round int
	// NotBefore is when it may be claimed again.
	NotBefore time.Time
	// DueAt is when somebody must have looked at it.
	DueAt time.Time
	// Plan is the oldest of the mailing's plans that its pending members were
	// deferred under.
	Plan int64
	// StartedAt is set on the first batch of a slice until it is settled: since
	// when its mailing has been due.
	StartedAt time.Time
	// Test is set on the batch of a test message, which is its only member.
	Test *Test
}

// Pending reports whether any member still waits for something.
func (b Batch) Pending() bool {
	for _, m := range b.Members {
		if m.Status.Pending() {
			return true
		}
	}
	return false
}

// IDs are the messages of the batch and the clients whom they go to, in their
// order: for log lines by which a person finds them.
func (b Batch) IDs() (messages []MessageID, clients []ClientID) {
	for _, mem := range b.Members {
		messages = append(messages, NewMessageID(b.Key.Mailing, mem.Client))
		clients = append(clients, mem.Client)
	}
	return messages, clients
}

// SliceState is how far one slice of a mailing's audience is, with the counts
// of its messages.
type SliceState struct {
	// Cursor is the last client that was looked at.
	Cursor ClientID
	// Done: the whole slice is expanded.
	Done   bool
	Counts Counts
	// RetriedAt is the mailing's RetriedAt whose failures have been queued anew.
	RetriedAt time.Time
	// ExtendedAt is the mailing's ExtendedAt by which the settled batches are kept.
	ExtendedAt time.Time
}

// Page is what one step of an expansion writes.
type Page struct {
	Mailing MailingID
	Slice   int
	// Seen is the cursor that the step started from; it is written only if
	// that is still the stored one.
	Seen ClientID
	// Next is the last client that the step looked at.
	Next ClientID
	// Done: nothing comes after this page.
	Done    bool
	Batches []Batch
	Counts  Counts
}

// PlanPage groups clients (of one slice, in the order of ids) into batches.
// Those whose window opens at the same instant travel together; a closed one
// is deferred. Of a mailing that is closed itself, all are accounted for
// at once. It returns how many of the clients fit.
func PlanPage(m Mailing, slice int, clients []Client, now time.Time) (batches []Batch, counts Counts, taken int) {
	open := map[time.Time]int{} // opening instant -> index of the batch that fills up
	for _, c := range clients {
		status, opens := firstStatus(m, c, now)
		i, ok := open[opens]
		if !ok || len(batches[i].Members) == BatchSize {
			if len(batches) == maxPageBatches {
				break
			}
			i = len(batches)
			open[opens] = i
			batches = append(batches, newBatch(m, BatchKey{m.ID, slice, BatchID{clients[0].ID, i}}, status, opens, now))
		}
		batches[i].Members = append(batches[i].Members, Member{Client: c.ID, Status: status, At: now, NotBefore: opens})
		counts.Count(status, 1)
		taken++
	}
	return batches, counts, taken
}

func firstStatus(m Mailing, c Client, now time.Time) (status MessageStatus, opens time.Time) {
	switch d := Decide(m, &c, Member{Client: c.ID, Status: Queued}, now); d.Action {
	case Finish:
		return d.Status, time.Time{}
	case Defer:
		return Deferred, d.Until
	case Send, Hold, Later:
	}
	return Queued, time.Time{}
}

func newBatch(m Mailing, key BatchKey, status MessageStatus, opens, now time.Time) Batch {
	b := Batch{Key: key, CreatedAt: now, Plan: m.Plan}
	switch {
	case status == Deferred:
		b.NotBefore, b.DueAt = opens, opens
	case status.Pending():
		b.DueAt = now.Add(QueuedPatience)
	}
	return b
}

// Sum adds up the slices of a mailing.
func Sum(states *[Slices]SliceState) Progress {
	p := Progress{Expanded: true}
	for _, state := range states {
		p.Counts = p.Counts.Plus(state.Counts)
		p.Expanded = p.Expanded && state.Done
	}
	return p
}

// Settlement is what a holder leaves of a batch that it claimed.
type Settlement struct {
	Batch  Batch
	Holder string
	// Change is by how much the counts change.
	Change Counts
}
