package mailing

import (
	"slices"
	"time"
)

// Retried returns m with a retry requested for its failed messages, its uncertain ones,
// or both. A completed mailing is reopened. Uncertain messages may be delivered twice,
// which [Stop] never allows. A completed mailing without any such message stays as it is.
func (m Mailing) Retried(failed, uncertain bool, now time.Time) (Mailing, error) {
	if uncertain && m.OnUncertain == Stop {
		return m, Conflict("its uncertain messages may have been delivered, and it says on_uncertain: stop: they are never handed over again")
	}
	if m.Status == StatusCompleted && (!failed || m.Counts.Failed == 0) && (!uncertain || m.Counts.Uncertain == 0) {
		return m, nil
	}
	if err := m.retryable(now); err != nil {
		return m, err
	}
	m = m.reopened(now)
	at := now.Truncate(time.Millisecond)
	if !at.After(m.RetriedAt) {
		// The clock was set back. RetriedAt has to go up nevertheless: otherwise the mark
		// that a slice has for the previous retry would also stand for this one.
		at = m.RetriedAt.Add(time.Millisecond)
	}
	m.RetriedAt = at
	if failed {
		m.FailedRetriedAt = m.RetriedAt
	}
	if uncertain {
		m.UncertainRetriedAt = m.RetriedAt
	}
	return m, nil
}

// Wants reports whether the last retry of m gives rec fresh attempts.
func (m Mailing) Wants(rec Recipient) bool {
	switch rec.Status {
	case Failed:
		return !rec.At.After(m.FailedRetriedAt)
	case Uncertain:
		return !rec.At.After(m.UncertainRetriedAt) && m.OnUncertain != Stop
	case Queued, Retrying, Deferred, Sending, Sent, Expired, Cancelled, Skipped:
	}
	return false
}

// Redriven returns m, in which single failures are queued again. A completed mailing is
// reopened. The version goes up, so that a writer that read m before cannot finish it.
func (m Mailing) Redriven(now time.Time) (Mailing, error) {
	if err := m.retryable(now); err != nil {
		return m, err
	}
	return m.reopened(now), nil
}

func (m Mailing) retryable(now time.Time) error {
	switch {
	case m.Deleted:
		return NotFound("mailing")
	case m.Status == StatusScheduled || m.Status == StatusCancelled:
		return Conflict("a %s mailing has nothing to be tried again", m.Status)
	case m.Closed(now):
		return Conflict("its end has passed: nothing of it can be tried again")
	}
	return nil
}

func (m Mailing) reopened(now time.Time) Mailing {
	if m.Status == StatusCompleted {
		m.Status = StatusRunning
	}
	m.Finished, m.Counts = false, Counts{}
	return m.changed(now)
}

// Retries reports whether failures of a slice have yet to be queued again.
func (m Mailing) Retries(state SliceState, now time.Time) bool {
	return state.RetriedAt.Before(m.RetriedAt) && !m.Closed(now)
}

// Works reports whether a slice of m still needs any work.
func (m Mailing) Works(state SliceState, now time.Time) bool {
	return m.Expands(state) || state.Counts.Pending() > 0 || m.Retries(state, now) || m.Extends(state)
}

// Expands reports whether a slice of m has clients that were not looked at yet.
func (m Mailing) Expands(state SliceState) bool { return m.ID != TestMailing && !state.Done }

// Done reports whether no slice of m needs work any more, and returns the mailing's
// counts if so.
func (m Mailing) Done(states *SliceStates, now time.Time) (Counts, bool) {
	var counts Counts
	for _, state := range states {
		if m.Works(state, now) {
			return Counts{}, false
		}
		counts = counts.Plus(state.Counts)
	}
	return counts, true
}

// Requeuing is a batch with some of its failed or uncertain messages queued again.
type Requeuing struct {
	// Seen is the batch as it was read. The requeuing is written only if its recipients are
	// unchanged and it has no holder.
	Seen  Batch
	Batch Batch
	// Change is the difference that the requeuing makes to the counts.
	Change Counts
}

// Requeued returns b with those of its failed and uncertain messages queued again for which
// choose returns true. They get fresh attempts, and b is due at once. Uncertain attempts
// stay counted. ok is false if choose returns true for none.
func (b Batch) Requeued(choose func(Recipient) bool, now time.Time) (r Requeuing, ok bool) {
	recipients := slices.Clone(b.Recipients)
	for i, rec := range recipients {
		if rec.Status != Failed && rec.Status != Uncertain || !choose(rec) {
			continue
		}
		rec.Status, rec.Attempts, rec.At, rec.NotBefore = Queued, 0, now, time.Time{}
		recipients[i], ok = rec, true
	}
	requeued := b
	requeued.Recipients = recipients
	requeued.NotBefore, requeued.DueAt, requeued.Round = time.Time{}, now, 0
	return Requeuing{Seen: b, Batch: requeued, Change: CountRecipients(recipients).Minus(CountRecipients(b.Recipients))}, ok
}

// Redriving is the result of a redrive of dead letters. Messages of Requeued are tried
// again. Messages of Stale have been tried again since, or have ended otherwise. Messages
// of Kept cannot be tried again now.
type Redriving struct {
	Requeued, Stale, Kept []DeadLetter
}

// Is reports whether a dead letter is about the current failure of a failed message.
func (l DeadLetter) Is(rec Recipient) bool {
	return rec.Status == Failed && rec.Attempts == l.Attempts && rec.At.UnixMilli() == l.At.UnixMilli()
}
