package mailing

import "time"

// Started is m as it runs. ok is false where it does not start now: it is not
// scheduled, or its start has not come.
func (m Mailing) Started(now time.Time) (started Mailing, ok bool) {
	if m.Status != StatusScheduled || now.Before(m.StartAt) {
		return m, false
	}
	m.Status, m.StartedAt = StatusRunning, now.Truncate(time.Millisecond)
	return m.changed(now), true
}

// Untouched reports whether nobody has changed m since it was made: all that has
// happened to it is that it started.
func (m Mailing) Untouched() bool {
	return m.Version == 1 || m.Version == 2 && m.Status == StatusRunning
}

// Paused is m held still. Pausing a paused mailing changes nothing.
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

// Resumed is m running again. Resuming a running mailing changes nothing.
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

// Cancelled is m called off. A mailing that never started has no messages, so
// it is finished at once; another one is when the rest of its audience and all
// that was pending is accounted for.
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

// AsDeleted is m gone for the API. A live one is cancelled first.
func (m Mailing) AsDeleted(now time.Time) Mailing {
	if cancelled, err := m.Cancelled(now); err == nil {
		m = cancelled
	}
	m.Deleted = true
	return m.changed(now)
}

// AsFinished is m with its final counts: a cancelled one stays cancelled, any
// other is completed.
func (m Mailing) AsFinished(counts Counts, now time.Time) Mailing {
	if m.Status != StatusCancelled {
		m.Status = StatusCompleted
	}
	m.Finished, m.Counts = true, counts
	m.PausedBy, m.RejectedShare = "", 0
	return m.changed(now)
}

// Closed reports whether nothing of m may be handed over any more, so that all
// that is pending can be accounted for at once.
func (m Mailing) Closed(now time.Time) bool {
	return m.Status == StatusCancelled || m.Deleted || !now.Before(m.EndAt)
}
