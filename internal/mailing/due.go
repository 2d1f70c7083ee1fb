package mailing

import "time"

// Due is the entry of one batch in the index of waiting batches.
type Due struct {
	Key        BatchKey
	DueAt      time.Time
	NotBefore  time.Time
	LeaseUntil time.Time
	Generation int64
	CreatedAt  time.Time
	// Sweeps is how often a sweep has queued the batch since its last claim.
	Sweeps int
}

// OverdueAfter returns the time after which a batch is overdue again, counted from the
// n-th time (from 0) that a sweep queued it: 5 minutes, doubling to an hour.
func OverdueAfter(n int) time.Duration {
	d := QueuedOverdueAfter
	for ; n > 0 && d < MaxOverdueAfter; n-- {
		d *= 2
	}
	return min(d, MaxOverdueAfter)
}

// LookAhead is how far ahead the sweep looks. A batch that will be overdue before the
// sweep after next is queued now, with the remaining delay.
const LookAhead = 2 * time.Minute

// Requeue reports whether a task of m should queue a pending batch again, and after which
// delay. freed reports whether the batch's NotBefore is void: the mailing was edited or
// closed since, so each of its messages needs a new decision.
//
// While m is paused, or the provider is down, senders remove deliveries from the queue
// and write nothing. So each batch that was queued before the resume, or before the end
// of the outage, is queued again afterwards.
func (d Due) Requeue(m Mailing, o Outage, now time.Time) (delay time.Duration, freed, ok bool) {
	closed := m.Closed(now)
	if !closed && (m.Status == StatusPaused || o.Down()) {
		return 0, false, false
	}
	held := d.LeaseUntil.After(now)
	// A batch that a sweep has queued already is queued again only once it is overdue
	// again.
	if (closed || d.Generation < m.Generation) && d.Sweeps == 0 && !held {
		return 0, true, true
	}
	if !held && !d.NotBefore.After(now) && d.queuedAt().Before(m.awake(o)) {
		return 0, false, true
	}
	if d.DueAt.After(now.Add(LookAhead)) {
		return 0, false, false
	}
	from := d.DueAt
	if d.NotBefore.After(from) {
		from = d.NotBefore
	}
	return max(0, from.Sub(now)), false, true
}

// queuedAt returns when the batch was last queued, or an earlier instant. This holds only
// once NotBefore has passed.
func (d Due) queuedAt() time.Time { return d.DueAt.Add(-OverdueAfter(max(0, d.Sweeps-1))) }

// awake returns the instant since which m's messages have been handed over without
// interruption: its last resume, or the end of the provider's last outage if that is
// later. It is the zero time if there was neither.
func (m Mailing) awake(o Outage) time.Time {
	if o.Ended.After(m.ResumedAt) {
		return o.Ended
	}
	return m.ResumedAt
}

// DueHorizon returns the latest due time that m's tasks look at. The zero time means that
// there is no limit.
func (m Mailing) DueHorizon(o Outage, now time.Time) time.Time {
	if m.Closed(now) || m.Generation > 0 || now.Sub(m.awake(o)) < MaxOverdueAfter {
		return time.Time{}
	}
	return now.Add(LookAhead)
}
