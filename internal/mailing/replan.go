package mailing

import (
	"slices"
	"time"
)

// Rezoning is a client whose time zone was edited, until its waiting messages are
// planned by the new zone.
type Rezoning struct {
	Client ClientID
	// Version is the client's version as of the edit: another edit has another.
	Version int64
	// At is when the zone was edited.
	At time.Time
}

// PlanTime is how long a page of an expansion may be on its way from the reading of
// its clients to its writing: no invocation of the scheduler lasts as long.
const PlanTime = time.Minute

// Replans reports whether waiting messages of m have to be planned again when the
// zone of their client is edited: m has a window, and may still hand over.
func (m Mailing) Replans(now time.Time) bool {
	return m.Window != nil && (m.Status == StatusRunning || m.Status == StatusPaused) && !m.Finished && !m.Closed(now)
}

// Plannable reports whether a page of a slice that is not written yet may have been
// planned by the zone from before an edit. Until that is clear the edit has to be
// kept in mind: the message is not there to be planned again.
func (r Rezoning) Plannable(state SliceState, now time.Time) bool {
	return !state.Done && r.Client > state.Cursor && now.Before(r.At.Add(PlanTime))
}

// Replanned is b with its deferred messages to some clients free to be decided on
// again: their openings are void, and b may be claimed and is due now. Whoever
// claims it decides by the clients as they are then. The others keep their openings.
// ok is false if b has no such message.
func (b Batch) Replanned(edited func(ClientID) bool, now time.Time) (replanned Batch, ok bool) {
	members := slices.Clone(b.Members)
	for i, mem := range members {
		if mem.Status == Deferred && edited(mem.Client) {
			members[i].NotBefore, ok = time.Time{}, true
		}
	}
	if !ok {
		return b, false
	}
	b.Members, b.NotBefore, b.DueAt = members, time.Time{}, now
	return b, true
}

// Concerns reports whether a message of m may have been planned by the zone from
// before the edit: m was there already, or its creator's clock was that far ahead.
func (r Rezoning) Concerns(m Mailing) bool { return !m.CreatedAt.After(r.At.Add(PlanTime)) }
