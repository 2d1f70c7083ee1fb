package mailing

import (
	"slices"
	"time"
)

// ZoneEdit is an edit of a client's time zone. It is stored until the client's waiting
// messages are planned by the new zone.
type ZoneEdit struct {
	Client ClientID
	// Version is the client's version after the edit. Each further edit has another
	// version.
	Version int64
	// At is when the zone was edited.
	At time.Time
}

// MaxPageTime is the longest time from the reading of a page's clients to the writing of the
// page: no invocation of the scheduler lasts as long.
const MaxPageTime = time.Minute

// Replans reports whether waiting messages of m have to be planned again after an edit of
// their client's zone: m has a window, and may still hand messages over.
func (m Mailing) Replans(now time.Time) bool {
	return m.Window != nil && (m.Status == StatusRunning || m.Status == StatusPaused) && !m.Finished && !m.Closed(now)
}

// Plannable reports whether the page with the edit's client is not written yet, but may
// have been planned by the zone from before the edit. While that is possible, the edit has
// to be kept: the message does not exist yet, so it cannot be planned again.
func (r ZoneEdit) Plannable(state SliceState, now time.Time) bool {
	return !state.Done && r.Client > state.Cursor && now.Before(r.At.Add(MaxPageTime))
}

// Replanned returns b without the openings of its deferred messages to edited clients. b may
// be claimed and is due now. The sender that claims it decides by the clients as they are
// then. Other messages keep their openings. ok is false if b has no deferred message to an
// edited client.
func (b Batch) Replanned(edited func(ClientID) bool, now time.Time) (replanned Batch, ok bool) {
	recipients := slices.Clone(b.Recipients)
	for i, rec := range recipients {
		if rec.Status == Deferred && edited(rec.Client) {
			recipients[i].NotBefore, ok = time.Time{}, true
		}
	}
	if !ok {
		return b, false
	}
	b.Recipients, b.NotBefore, b.DueAt = recipients, time.Time{}, now
	return b, true
}

// Concerns reports whether a message of m may have been planned by the zone from before
// the edit. It returns true if m was created before the edit, or up to MaxPageTime after
// it: the clock that stamped the creation may have been ahead.
func (r ZoneEdit) Concerns(m Mailing) bool { return !m.CreatedAt.After(r.At.Add(MaxPageTime)) }
