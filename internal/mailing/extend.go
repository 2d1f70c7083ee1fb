package mailing

import "time"

// ExtendAfter is the time from an edit that moves an end to a later instant until the
// settled batches get their new time to live. A sender decides and settles by a mailing
// that it read at most two seconds before its claim. The rest of the time allows for clocks
// that differ. So a claim that is made after ExtendAfter is settled by the new end.
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
// While they do, the mailing is not finished. This also holds for a cancelled mailing, but
// not for a deleted one.
func (m Mailing) Extends(state SliceState) bool {
	return !m.Deleted && state.ExtendedAt.Before(m.ExtendedAt) && state.Counts.Terminal() > 0
}

// ExtendsNow reports whether the settled batches of a slice of m can get their new time to
// live now. From [ExtendAfter] on, each batch that may still be settled by the earlier end
// has a holder.
func (m Mailing) ExtendsNow(state SliceState, now time.Time) bool {
	return m.Extends(state) && !now.Before(m.ExtendedAt.Add(ExtendAfter))
}
