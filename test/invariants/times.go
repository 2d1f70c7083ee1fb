package invariants

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// Slack is how long after a pause, a cancellation, an edit or a deletion a hand-over may
// still begin.
const Slack = 2 * time.Second

// State is the state of a mailing from an instant on.
type State struct {
	From    time.Time
	Mailing mailing.Mailing
}

// Timeline holds the states of a mailing in the order of their instants.
type Timeline []State

// String formats the states for an error message.
func (t Timeline) String() string {
	var all strings.Builder
	for _, s := range t {
		fmt.Fprintf(&all, " %s since %s (start %s, end %s, version %d);", s.Mailing.Status, s.From.Format(time.TimeOnly),
			s.Mailing.StartAt.Format(time.TimeOnly), s.Mailing.EndAt.Format(time.TimeOnly), s.Mailing.Version)
	}
	return all.String()
}

// Forbidden returns the reason why a message to a client could not be handed over at an
// instant: no state that the mailing had within [Slack] before allowed it. It returns ""
// if a state allowed it.
func (t Timeline) Forbidden(c *Client, at time.Time) string {
	if !c.DeletedAt.IsZero() && at.After(c.DeletedAt.Add(Slack)) {
		return "the client is deleted"
	}
	reason := "the mailing did not exist"
	for i, s := range t {
		if s.From.After(at) || (i+1 < len(t) && t[i+1].From.Add(Slack).Before(at)) {
			continue
		}
		for zone := range c.Zones {
			if reason = Forbidden(s.Mailing, zone, at); reason == "" {
				return ""
			}
		}
	}
	return reason
}

// Forbidden returns the reason why a mailing allows no hand-over to a time zone at an
// instant, "" if it allows one. It does not use the functions under test.
func Forbidden(m mailing.Mailing, zone string, at time.Time) string {
	switch {
	case at.Before(m.StartAt):
		return "before its start"
	case !at.Before(m.EndAt):
		return "at or after its end"
	case m.Deleted:
		return "the mailing is deleted"
	case m.Status != mailing.StatusScheduled && m.Status != mailing.StatusRunning:
		return "the mailing is " + string(m.Status)
	case m.Window != nil && !Inside(*m.Window, zone, at):
		return "outside the window in " + zone
	}
	return ""
}

// Inside reports whether a window is open in a time zone at an instant. In an unknown zone
// it is never open.
func Inside(w mailing.Window, zone string, at time.Time) bool {
	loc, err := location(zone)
	if err != nil {
		return false
	}
	local := at.In(loc)
	clock := mailing.ClockTime(time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second)
	if w.From > w.To { // the window crosses midnight
		return clock >= w.From || clock < w.To
	}
	return clock >= w.From && clock < w.To
}

// locations caches time zones by name: state machines ask for them millions of times.
var locations sync.Map //nolint:gochecknoglobals // a cache of values that never change

func location(zone string) (*time.Location, error) {
	if loc, ok := locations.Load(zone); ok {
		return loc.(*time.Location), nil //nolint:forcetypeassert // the map holds no other type
	}
	loc, err := time.LoadLocation(zone)
	if err == nil {
		locations.Store(zone, loc)
	}
	return loc, err
}
