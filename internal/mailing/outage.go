package mailing

import "time"

const (
	// firstProbe is the time from the beginning of an outage to the first probe. The wait
	// doubles with each probe that fails, up to maxProbe.
	firstProbe = time.Minute
	maxProbe   = 15 * time.Minute
)

// Outage is the state of the sending API that all senders and the scheduler share. The
// zero value is an API that works and has always worked.
type Outage struct {
	// Version goes up with each change.
	Version int64
	// Since is when the API was found to be down, the zero time while it works.
	Since time.Time
	// ProbeAt is when the next probe is due. A probe is one message that a sender hands
	// over to find out whether the API works again.
	ProbeAt time.Time
	// Probes is the number of probes that were begun in this outage.
	Probes int
	// Ended is when the last outage ended.
	Ended time.Time
}

// Down reports whether only probes are handed over.
func (o Outage) Down() bool { return !o.Since.IsZero() }

// Begun returns o with an outage that was found at now.
func (o Outage) Begun(now time.Time) Outage {
	if o.Down() {
		return o
	}
	return Outage{Version: o.Version + 1, Since: now, ProbeAt: now.Add(firstProbe), Ended: o.Ended}
}

// Probed returns o with a probe that begins at now, and the next probe due later.
func (o Outage) Probed(now time.Time) Outage {
	o.Version++
	o.Probes++
	o.ProbeAt = now.Add(probeWait(o.Probes))
	return o
}

// Over returns o after a probe that had a valid answer at now.
func (o Outage) Over(now time.Time) Outage {
	return Outage{Version: o.Version + 1, Ended: now}
}

// ProbeDue reports whether a probe may be made. If ProbeAt is further ahead than any wait,
// the clock was set back after ProbeAt was written. Then the probe is due, too.
func (o Outage) ProbeDue(now time.Time) bool {
	return o.Down() && (!now.Before(o.ProbeAt) || o.ProbeAt.Sub(now) > maxProbe)
}

// probeWait returns the time from the n-th probe (0 is the beginning of the outage) to
// the next one.
func probeWait(n int) time.Duration {
	d := firstProbe
	for ; n > 0 && d < maxProbe; n-- {
		d *= 2
	}
	return min(d, maxProbe)
}
