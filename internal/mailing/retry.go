package mailing

import (
	"slices"
	"time"
)

// Retried returns m with a retry asked for of its failed messages, of its
// uncertain ones, or of both, reopened if it was completed. Uncertain messages may
// be delivered twice, which [Stop] never allows. A completed mailing without any
// such message stays as it is.
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
		// The clock was set back: slices that are marked would take it for the retry before.
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

// Wants reports whether a retry of m gives mem fresh attempts.
func (m Mailing) Wants(mem Member) bool {
	switch mem.Status {
	case Failed:
		return !mem.At.After(m.FailedRetriedAt)
	case Uncertain:
		return !mem.At.After(m.UncertainRetriedAt) && m.OnUncertain != Stop
	case Queued, Retrying, Deferred, Sending, Sent, Expired, Cancelled, Skipped:
	}
	return false
}

// Redriven is m with single failures queued again, reopened if it was
// completed. Its version goes up, so that nobody finishes it by what was read
// before.
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

// Retries reports whether failures of a slice still wait to be queued anew.
func (m Mailing) Retries(state SliceState, now time.Time) bool {
	return state.RetriedAt.Before(m.RetriedAt) && !m.Closed(now)
}

// Works reports whether a slice of m has anything left to be done.
func (m Mailing) Works(state SliceState, now time.Time) bool {
	return m.Expands(state) || state.Counts.Pending() > 0 || m.Retries(state, now) || m.Extends(state)
}

// Expands reports whether a slice of m has clients left to be looked at.
func (m Mailing) Expands(state SliceState) bool { return m.ID != TestMailing && !state.Done }

// Done reports whether no slice of m has anything left to be done, and gives its
// counts.
func (m Mailing) Done(states *[Slices]SliceState, now time.Time) (Counts, bool) {
	var counts Counts
	for _, state := range states {
		if m.Works(state, now) {
			return Counts{}, false
		}
		counts = counts.Plus(state.Counts)
	}
	return counts, true
}

// Revival is a batch some of whose failed members are queued anew.
type Revival struct {
	// Seen is the batch as it was read; it is written only if its members are
	// still those and nobody holds it.
	Seen  Batch
	Batch Batch
	// Change is by how much the counts change.
	Change Counts
}

// Revived returns b with those of its failed and uncertain members that choose
// wants queued again, with fresh
// attempts, due at once. ok is false if there are none. Uncertain attempts stay
// counted.
func (b Batch) Revived(choose func(Member) bool, now time.Time) (r Revival, ok bool) {
	members := slices.Clone(b.Members)
	for i, mem := range members {
		if mem.Status != Failed && mem.Status != Uncertain || !choose(mem) {
			continue
		}
		mem.Status, mem.Attempts, mem.At, mem.NotBefore = Queued, 0, now, time.Time{}
		members[i], ok = mem, true
	}
	revived := b
	revived.Members = members
	revived.NotBefore, revived.DueAt, revived.Round = time.Time{}, now, 0
	return Revival{Seen: b, Batch: revived, Change: CountMembers(members).Minus(CountMembers(b.Members))}, ok
}

// Redriving is what becomes of dead letters whose messages are to be tried
// again: Revived are; those of Stale have been, or have ended otherwise, since;
// those of Kept cannot be now.
type Redriving struct {
	Revived, Stale, Kept []DeadLetter
}

// Is reports whether a failed member's failure is the one that a dead letter
// tells of.
func (l DeadLetter) Is(mem Member) bool {
	return mem.Status == Failed && mem.Attempts == l.Attempts && mem.At.UnixMilli() == l.At.UnixMilli()
}
