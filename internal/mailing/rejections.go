package mailing

import "time"

// RejectionWindow is the number of outcomes of a mailing that are judged together. They
// show whether the sending API refuses the mailing: a wrong text, a blocked sender.
const RejectionWindow = 200

// PausedBy is the reason for a pause.
type PausedBy string

const (
	// ByPerson means that an API request asked for the pause.
	ByPerson PausedBy = "person"
	// ByRejections means that the sending API refused at least half of a window of
	// messages.
	ByRejections PausedBy = "rejections"
)

// Outcomes counts the certain answers to hand-overs of one mailing.
type Outcomes struct {
	Sent, Rejected int64
}

// Plus returns o plus p.
func (o Outcomes) Plus(p Outcomes) Outcomes {
	return Outcomes{o.Sent + p.Sent, o.Rejected + p.Rejected}
}

// Total returns the number of outcomes.
func (o Outcomes) Total() int64 { return o.Sent + o.Rejected }

// Share returns the share of rejections, 0 to 1; 0 if there are no outcomes.
func (o Outcomes) Share() float64 {
	if o.Total() == 0 {
		return 0
	}
	return float64(o.Rejected) / float64(o.Total())
}

// Full reports whether the window has as many outcomes as are judged together.
func (o Outcomes) Full() bool { return o.Total() >= RejectionWindow }

// Refused reports whether a full window is reason to pause the mailing.
func (o Outcomes) Refused() bool { return o.Full() && 2*o.Rejected >= o.Total() }

// PausedForRejections returns m, paused because of a window of outcomes. m stays as it is
// unless it runs, and has run since the window began: a resume begins a new window.
func (m Mailing) PausedForRejections(o Outcomes, began, now time.Time) Mailing {
	if m.Status != StatusRunning || m.Deleted || !m.ResumedAt.Equal(began) || !o.Refused() {
		return m
	}
	m.Status, m.PausedBy, m.RejectedShare = StatusPaused, ByRejections, o.Share()
	return m.changed(now)
}
