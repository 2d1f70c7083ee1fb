package mailing

import "time"

// Started returns m as running. ok is false if it does not start now: it is not
// scheduled, or its start is in the future.
func (m Mailing) Started(now time.Time) (started Mailing, ok bool) {
	if m.Status != StatusScheduled || now.Before(m.StartAt) {
		return m, false
	}
	m.Status, m.StartedAt = StatusRunning, now.Truncate(time.Millisecond)
	return m.changed(now), true
}

// Untouched reports whether m was never changed since its creation, except by its start.
func (m Mailing) Untouched() bool {
	return m.Version == 1 || m.Version == 2 && m.Status == StatusRunning
}

// Paused returns m as paused. Pausing a paused mailing changes nothing.
func (m Mailing) Paused(now time.Time) (Mailing, error) {
	switch m.Status {
	case StatusPaused:
		return m, nil
	case StatusRunning:
		m.Status, m.PausedBy = StatusPaused, ByPerson
		return m.changed(now), nil
	case StatusScheduled:
		return m, Conflict("a scheduled mailing cannot be paused: cancel it, or move its start_at")
	default:
		return m, Conflict("a %s mailing cannot be paused", m.Status)
	}
}

// Resumed returns m as running again. Resuming a running mailing changes nothing.
func (m Mailing) Resumed(now time.Time) (Mailing, error) {
	switch {
	case m.Status == StatusRunning:
		return m, nil
	case m.Status != StatusPaused:
		return m, Conflict("a %s mailing cannot be resumed", m.Status)
	case !now.Before(m.EndAt):
		return m, Conflict("its end has passed: it cannot be resumed")
	}
	m.Status, m.ResumedAt = StatusRunning, now.Truncate(time.Millisecond)
	m.PausedBy, m.RejectedShare = "", 0
	return m.changed(now), nil
}

// Cancelled returns m as cancelled. A mailing that never started has no messages, so it
// is finished at once. Any other mailing is finished when the rest of its audience, and
// every message that was pending, is accounted for.
func (m Mailing) Cancelled(now time.Time) (Mailing, error) {
	switch m.Status {
	case StatusCancelled:
		return m, nil
	case StatusCompleted:
		return m, Conflict("a completed mailing cannot be cancelled")
	case StatusScheduled:
		m.Finished = true
	case StatusRunning, StatusPaused:
	}
	m.Status, m.CancelledAt = StatusCancelled, now.Truncate(time.Millisecond)
	m.PausedBy, m.RejectedShare = "", 0
	return m.changed(now), nil
}

// AsDeleted returns m as deleted: the API no longer shows it. A mailing that can still be
// cancelled is cancelled first.
func (m Mailing) AsDeleted(now time.Time) Mailing {
	if cancelled, err := m.Cancelled(now); err == nil {
		m = cancelled
	}
	m.Deleted = true
	return m.changed(now)
}

// AsFinished returns m with its final counts. A cancelled mailing stays cancelled; any
// other is completed.
func (m Mailing) AsFinished(counts Counts, now time.Time) Mailing {
	if m.Status != StatusCancelled {
		m.Status = StatusCompleted
	}
	m.Finished, m.Counts = true, counts
	m.PausedBy, m.RejectedShare = "", 0
	return m.changed(now)
}

// Closed reports whether m is cancelled, deleted, or past its end. No message of a closed
// mailing may be handed over, so each pending message can get a terminal status at once.
func (m Mailing) Closed(now time.Time) bool {
	return m.Status == StatusCancelled || m.Deleted || !now.Before(m.EndAt)
}
