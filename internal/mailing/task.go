package mailing

import "time"

// Task asks the scheduler to do the work that one slice of a mailing needs, or with
// [AllSlices] each slice of it. The work depends on the state when the task is read.
type Task struct {
	Mailing ID
	Slice   int
}

// AllSlices is the slice of a task for the whole mailing.
const AllSlices = -1

// List returns the slices that the task is for.
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

// Delivery is a batch from the queue, as a sender receives it.
type Delivery struct {
	Key BatchKey
	// Receives is how often the queue has delivered it, from 1.
	Receives int
}

// Handling is the result of work on a delivery. The queue removes the delivery, or, with
// Again, delivers it again after the time After.
type Handling struct {
	Again bool
	After time.Duration
}

// DeadLetter is the record of a message that failed. The service does not try such a message
// again by itself.
type DeadLetter struct {
	Message  MessageID
	Reason   string
	Attempts int
	At       time.Time
}

// MaxDelay is the longest time for which a queue can delay a message, a limit of SQS.
const MaxDelay = 15 * time.Minute

// TaskDelay returns the delay with which tasks of m should be queued now, in whole
// seconds rounded down. ok is false if m needs no task now: its start is further ahead than
// [MaxDelay], it is paused, or it is finished.
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
