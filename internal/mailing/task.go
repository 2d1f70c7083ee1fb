package mailing

import "time"

// Task asks the scheduler to do what one slice of a mailing needs, or with
// [AllSlices] each of them, whatever that is when the task is read.
type Task struct {
	Mailing MailingID
	Slice   int
}

// AllSlices is the slice of a task that is for the whole mailing.
const AllSlices = -1

// List are the slices that the task is for.
func (t Task) List() []int {
	if t.Slice != AllSlices {
		return []int{t.Slice}
	}
	all := make([]int, Slices)
	for slice := range all {
		all[slice] = slice
	}
	return all
}

// Delivery is a batch that waits in the queue, as a sender receives it.
type Delivery struct {
	Key BatchKey
	// Receives is how often the queue has handed it out, from 1.
	Receives int
}

// Handling is what becomes of a delivery after it was worked on: it is taken
// off the queue, or with Again it comes back by itself after a time.
type Handling struct {
	Again bool
	After time.Duration
}

// DeadLetter is a message that will not be tried again because it failed.
type DeadLetter struct {
	Message  MessageID
	Reason   string
	Attempts int
	At       time.Time
}

// MaxDelay is how long a queue can hold a message back.
const MaxDelay = 15 * time.Minute

// TaskDelay tells when tasks of m should run that are queued now, in whole
// seconds rounded down. ok is false if m needs none: it starts later than a
// queue can hold a task back, it is held still, or all is done.
func (m Mailing) TaskDelay(now time.Time) (delay time.Duration, ok bool) {
	switch {
	case m.Finished, m.Status == StatusPaused && !m.Closed(now):
		return 0, false
	case m.Status == StatusScheduled:
		delay = max(0, m.StartAt.Sub(now)).Truncate(time.Second)
		return delay, delay <= MaxDelay
	default:
		return 0, true
	}
}
