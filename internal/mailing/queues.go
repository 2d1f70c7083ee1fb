package mailing

import "time"

// Names of the queues.
const (
	TasksQueue       = "tasks"
	DeliveriesQueue  = "deliveries"
	DeadLettersQueue = "dead-letters"
)

// QueueDepth is what a queue holds, roughly: queues cannot say it exactly.
type QueueDepth struct {
	Name string
	// Waiting can be taken now, InFlight has been and is not settled yet, Delayed
	// waits for its time.
	Waiting, InFlight, Delayed int64
}

// StoredLetter is an entry of the dead letters as it lies in their queue. It is
// a failed message's, or a delivery that was received too often to be right, or
// neither: something that cannot be read.
type StoredLetter struct {
	// Handle names the entry to the queue.
	Handle   string
	QueuedAt time.Time
	Letter   *DeadLetter
	Delivery *BatchKey
}

// WaitingSince is since when the batch could have been claimed and was not: its
// making, or the instant that it was put off until. ok is false if it cannot be
// claimed now: it is held, or it is not time.
func (d Due) WaitingSince(now time.Time) (since time.Time, ok bool) {
	if d.LeaseUntil.After(now) || d.NotBefore.After(now) {
		return time.Time{}, false
	}
	if d.NotBefore.After(d.CreatedAt) {
		return d.NotBefore, true
	}
	return d.CreatedAt, true
}
