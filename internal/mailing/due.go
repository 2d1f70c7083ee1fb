package mailing

import "time"

// Due is what the index of waiting batches holds of one.
type Due struct {
	Key        BatchKey
	DueAt      time.Time
	NotBefore  time.Time
	LeaseUntil time.Time
	Plan       int64
	CreatedAt  time.Time
	// Sweeps is how often a sweep has queued it since it was last claimed.
	Sweeps int
}

// OverdueAfter returns how long after being queued by a sweep for the n-th time
// (from 0) a batch is overdue again: 5 minutes, doubling to an hour.
func OverdueAfter(n int) time.Duration {
	d := QueuedPatience
	for ; n > 0 && d < MaxPatience; n-- {
		d *= 2
	}
	return min(d, MaxPatience)
}

// Foresight is how far ahead the sweep looks: a batch that is overdue before the
// sweep after next is queued with the delay that is left.
const Foresight = 2 * time.Minute

// Requeue reports whether a task of m should queue a pending batch again, after
// which delay, and whether its NotBefore is void: the mailing was edited or
// closed since, so each member needs a new decision.
//
// While m is paused, or the provider is down, senders take deliveries off the
// queue and write nothing. So once m runs again, and the provider works, each
// batch that was queued before that is queued again.
func (d Due) Requeue(m Mailing, o Outage, now time.Time) (delay time.Duration, freed, ok bool) {
	closed := m.Closed(now)
	if !closed && (m.Status == StatusPaused || o.Down()) {
		return 0, false, false
	}
	held := d.LeaseUntil.After(now)
	// A batch that a sweep has queued already is not queued again before it is
	// overdue once more.
	if (closed || d.Plan < m.Plan) && d.Sweeps == 0 && !held {
		return 0, true, true
	}
	if !held && !d.NotBefore.After(now) && d.queuedAt().Before(m.awake(o)) {
		return 0, false, true
	}
	if d.DueAt.After(now.Add(Foresight)) {
		return 0, false, false
	}
	from := d.DueAt
	if d.NotBefore.After(from) {
		from = d.NotBefore
	}
	return max(0, from.Sub(now)), false, true
}

// queuedAt returns when the batch was last queued, or an instant before that.
func (d Due) queuedAt() time.Time { return d.DueAt.Add(-OverdueAfter(max(0, d.Sweeps-1))) }

// awake returns since when m's messages are handed over without a break: since
// its last resume, or the end of the provider's last outage. The zero time means
// since the start.
func (m Mailing) awake(o Outage) time.Time {
	if o.Ended.After(m.ResumedAt) {
		return o.Ended
	}
	return m.ResumedAt
}

// DueHorizon returns up to when m's tasks look at what is due; the zero time is
// no limit.
func (m Mailing) DueHorizon(o Outage, now time.Time) time.Time {
	if m.Closed(now) || m.Plan > 0 || now.Sub(m.awake(o)) < MaxPatience {
		return time.Time{}
	}
	return now.Add(Foresight)
}
