package mailing

import "time"

// RejectionWindow is how many outcomes of a mailing are looked at together to
// find a mailing that the sending API refuses: a wrong text, a blocked sender.
const RejectionWindow = 200

// PausedBy is why a mailing is paused.
type PausedBy string

const (
	// ByPerson: somebody asked for it.
	ByPerson PausedBy = "person"
	// ByRejections: the sending API refused at least half of a window of messages.
	ByRejections PausedBy = "rejections"
)

// Outcomes are the certain answers to hand-overs of one mailing, counted.
type Outcomes struct {
	Sent, Rejected int64
}

// Plus returns the sum of both.
func (o Outcomes) Plus(p Outcomes) Outcomes {
	return Outcomes{o.Sent + p.Sent, o.Rejected + p.Rejected}
}

// Total is how many outcomes there are.
func (o Outcomes) Total() int64 { return o.Sent + o.Rejected }

// Share returns the part of rejections, 0 to 1; 0 for no outcomes.
func (o Outcomes) Share() float64 {
	if o.Total() == 0 {
		return 0
	}
	return float64(o.Rejected) / float64(o.Total())
}

// Full reports whether the window has as many outcomes as are looked at together.
func (o Outcomes) Full() bool { return o.Total() >= RejectionWindow }

// Refused reports whether a full window is reason to pause the mailing.
func (o Outcomes) Refused() bool { return o.Full() && 2*o.Rejected >= o.Total() }

// PausedForRejections returns m paused because of a window of outcomes. It stays
// as it is unless it runs, and has run since the window began: a resume begins a
// new window.
func (m Mailing) PausedForRejections(o Outcomes, began, now time.Time) Mailing {
	if m.Status != StatusRunning || m.Deleted || !m.ResumedAt.Equal(began) || !o.Refused() {
		return m
	}
	m.Status, m.PausedBy, m.RejectedShare = StatusPaused, ByRejections, o.Share()
	return m.changed(now)
}
