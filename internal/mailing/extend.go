package mailing

import "time"

// ExtendAfter is how long after an end was put off the settled batches get their new time
// to live. A sender decides and settles by a mailing that it read at most two seconds
// before its claim; the rest allows for clocks that differ. So any claim after that time
// is settled by the new end.
const ExtendAfter = 5 * time.Second

// extended returns m, whose end was moved from old. If the new end is later, the messages
// that are settled already have to be kept longer. ExtendedAt goes up with each such
// edit, even after the clock was set back.
func (m Mailing) extended(old, now time.Time) Mailing {
	if m.Status != StatusRunning && m.Status != StatusPaused || !m.EndAt.After(old) {
		return m
	}
	at := now.Truncate(time.Millisecond)
	if !at.After(m.ExtendedAt) {
		at = m.ExtendedAt.Add(time.Millisecond)
	}
	m.ExtendedAt = at
	return m
}

// Extends reports whether settled batches of a slice of m still expire by an earlier end.
// While they do, the mailing is not finished, even if it was cancelled, unless it is
// deleted.
func (m Mailing) Extends(state SliceState) bool {
	return !m.Deleted && state.ExtendedAt.Before(m.ExtendedAt) && state.Counts.Terminal() > 0
}

// ExtendsNow reports whether the settled batches of a slice of m can be moved now. By
// then, any batch that a sender may still settle by the earlier end has a holder.
func (m Mailing) ExtendsNow(state SliceState, now time.Time) bool {
	return m.Extends(state) && !now.Before(m.ExtendedAt.Add(ExtendAfter))
}
