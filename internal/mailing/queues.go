package mailing

import "time"

// Names of the queues.
const (
	TasksQueue       = "tasks"
	DeliveriesQueue  = "deliveries"
	DeadLettersQueue = "dead-letters"
	DeadTasksQueue   = "dead-tasks"
)

// QueueDepth is the approximate content of a queue: queues cannot report it exactly.
type QueueDepth struct {
	Name string
	// Waiting messages can be received now. InFlight messages were received and are not
	// settled yet. Delayed messages cannot be received until their delay is over.
	Waiting, InFlight, Delayed int64
}

// StoredLetter is an entry of the queue of dead letters. Letter is set for a failed
// message, and Delivery for a delivery that was received too often. Neither is set if the
// entry cannot be read.
type StoredLetter struct {
	// Handle identifies the entry to the queue.
	Handle   string
	QueuedAt time.Time
	Letter   *DeadLetter
	Delivery *BatchKey
}

// WaitingSince returns the instant since which the batch could have been claimed and was
// not: its creation, or the instant until which it was put off. ok is false if it cannot
// be claimed now, because it is held, or was put off until later.
func (d Due) WaitingSince(now time.Time) (since time.Time, ok bool) {
	if d.LeaseUntil.After(now) || d.NotBefore.After(now) {
		return time.Time{}, false
	}
	if d.NotBefore.After(d.CreatedAt) {
		return d.NotBefore, true
	}
	return d.CreatedAt, true
}
