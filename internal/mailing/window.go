package mailing

import (
	"fmt"
	"time"
)

// day is the length of a day on a clock's face.
const day = 24 * time.Hour

// ClockTime is a wall-clock time of day, as the duration since 00:00 on the clock's face
// (not since midnight: the two differ on days when clocks change).
type ClockTime time.Duration

// ParseClockTime reads "HH:MM", 00:00 to 23:59.
func ParseClockTime(s string) (ClockTime, error) {
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, &Error{Kind: KindInvalid, Message: "must be a time as HH:MM, 00:00 to 23:59"}
	}
	return ClockTime(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute), nil
}

// String returns the time as "HH:MM".
func (c ClockTime) String() string {
	d := time.Duration(c)
	return fmt.Sprintf("%02d:%02d", int(d/time.Hour), int(d%time.Hour/time.Minute))
}

// Window is the part of a client's day in which a message may be handed over: from From
// (inclusive) to To (exclusive) on the clock's face. If From is later than To, the window
// crosses midnight.
type Window struct {
	From, To ClockTime
}

// contains reports whether the clock shows a time inside the window.
func (w Window) contains(face time.Duration) bool {
	from, to := time.Duration(w.From), time.Duration(w.To)
	if from < to {
		return from <= face && face < to
	}
	return face >= from || face < to
}

// Closing returns the first instant at or after now at which the clock of loc shows a
// time outside the window.
func (w Window) Closing(loc *time.Location, now time.Time) time.Time {
	return Window{From: w.To, To: w.From}.Opening(loc, now)
}

// Opening returns the first instant at or after now at which the clock of loc shows a
// time inside the window. While the window is open, that is now itself.
//
// The rule depends only on the time that the clock shows. If clocks go forward over the
// opening, the window opens as they jump. If clocks go back to a time before the opening,
// the window closes again and opens a second time.
func (w Window) Opening(loc *time.Location, now time.Time) time.Time {
	for t := now; ; {
		local := t.In(loc)
		face := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute +
			time.Duration(local.Second())*time.Second + time.Duration(local.Nanosecond())
		if w.contains(face) {
			return t
		}
		// Until the zone's next change the clock runs evenly.
		opens := t.Add((time.Duration(w.From) - face + day) % day)
		_, change := local.ZoneBounds()
		if change.IsZero() || opens.Before(change) {
			return opens
		}
		t = change
	}
}
