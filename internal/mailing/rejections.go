package mailing

import "time"

// RejectionWindow is the least number of valid answers that can pause a mailing. So many
// answers show whether the sending API refuses the mailing itself, for example its text.
const RejectionWindow = 200

// PausedBy is the reason for a pause.
type PausedBy string

const (
	// ByPerson means that an API request asked for the pause.
	ByPerson PausedBy = "person"
	// ByRejections means that the sending API rejected at least half of
	// [RejectionWindow] or more messages.
	ByRejections PausedBy = "rejections"
)

// Outcomes counts the valid answers to hand-overs of one mailing.
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

// Full reports whether o has at least [RejectionWindow] outcomes.
func (o Outcomes) Full() bool { return o.Total() >= RejectionWindow }

// Refused reports whether o is a reason to pause the mailing: o is full, and at least half
// of its outcomes are rejections.
func (o Outcomes) Refused() bool { return o.Full() && 2*o.Rejected >= o.Total() }

// PausedForRejections returns m, paused if o is a reason for it. began is the ResumedAt of
// the mailing whose outcomes o counts. m stays as it is if it does not run, or if it was
// resumed since: a resume begins a new count.
func (m Mailing) PausedForRejections(o Outcomes, began, now time.Time) Mailing {
	if m.Status != StatusRunning || m.Deleted || !m.ResumedAt.Equal(began) || !o.Refused() {
		return m
	}
	m.Status, m.PausedBy, m.RejectedShare = StatusPaused, ByRejections, o.Share()
	return m.changed(now)
}
