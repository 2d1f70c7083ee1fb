package mailing

import "time"

// Action is what is to be done with a message now.
type Action uint8

const (
	// Send: hand it over.
	Send Action = iota + 1
	// Defer: leave it until its client's window, or its mailing, opens.
	Defer
	// Later: leave it as it is until it may be tried again.
	Later
	// Hold: leave it as it is until somebody resumes the mailing.
	Hold
	// Finish: it ends in a terminal status.
	Finish
)

// Decision is what is to be done with a message now, and why.
type Decision struct {
	Action Action
	// Status is the terminal status, with [Finish].
	Status MessageStatus
	// Until is when to decide again, with [Defer] and [Later]. With [Send] it is
	// the instant from which on the hand-over may not begin any more.
	Until time.Time
}

// MaxAttempts is how often a message is tried.
const MaxAttempts = 10

// Decide says what is to be done with a message at this instant. It is asked
// again immediately before each hand-over. client is nil if it was deleted.
func Decide(m Mailing, client *Client, mem Member, now time.Time) Decision {
	switch {
	case m.Status == StatusCancelled || m.Deleted:
		return finish(mem, Cancelled)
	case !now.Before(m.EndAt):
		return finish(mem, Expired)
	case client == nil:
		return finish(mem, Skipped)
	case mem.Attempts >= MaxAttempts:
		return finish(mem, Failed)
	case m.OnUncertain == Stop && mem.Uncertain > 0:
		return finish(mem, Uncertain)
	case m.Status == StatusPaused:
		return Decision{Action: Hold}
	case now.Before(m.StartAt):
		return Decision{Action: Defer, Until: m.StartAt}
	}
	opens, closes := m.span(*client, now)
	switch {
	case opens.After(now):
		return Decision{Action: Defer, Until: opens}
	case now.Before(mem.NotBefore):
		return Decision{Action: Later, Until: mem.NotBefore}
	}
	return Decision{Action: Send, Until: closes}
}

// finish ends a message that may not be tried again. A message that an earlier
// attempt may have delivered ends as [Uncertain], whatever overtook it.
func finish(mem Member, s MessageStatus) Decision {
	return Decision{Action: Finish, Status: honest(mem, s)}
}

// honest returns the terminal status of mem where s is the status of a message
// that was certainly not delivered.
func honest(mem Member, s MessageStatus) MessageStatus {
	if mem.Uncertain > 0 {
		return Uncertain
	}
	return s
}

// span is when hand-overs to a client may begin the next time, and from when on
// they may not again. It opens now if the client's window is open, with the
// mailing's end if it does not open before that; it closes then at the latest.
func (m Mailing) span(c Client, now time.Time) (opens, closes time.Time) {
	if m.Window == nil {
		return now, m.EndAt
	}
	loc, err := Zone(c.Timezone)
	if err != nil {
		// The directory only holds zones that load. Should the zone database
		// ever drop one, being a few hours off beats never being sent.
		loc = time.UTC
	}
	opens = earlier(m.Window.Opening(loc, now), m.EndAt)
	return opens, earlier(m.Window.Closing(loc, opens), m.EndAt)
}

// Decided is mem after a decision other than [Send].
func (mem Member) Decided(d Decision, now time.Time) Member {
	switch d.Action {
	case Finish:
		mem.Status, mem.At = d.Status, now
	case Defer:
		if mem.Status != Deferred {
			mem.Status, mem.At = Deferred, now
		}
	case Hold, Later, Send:
	}
	return mem
}

// After returns mem after one hand-over. An ambiguous attempt always uses an
// attempt. One that certainly failed and may be repeated uses an attempt only if
// the provider is known to work: else the trouble is the provider's. Once an
// attempt was ambiguous, a later refusal does not clear it.
func (mem Member) After(o Outcome, m Mailing, providerWorks bool, now time.Time) Member {
	charged := mem
	charged.Attempts++
	charged.At, charged.Error = now, o.Code
	switch o.Kind {
	case OutcomeSent:
		charged.Status, charged.Error = Sent, ""
		return charged
	case OutcomeRejected:
		charged.Status = honest(mem, Failed)
		return charged
	case OutcomeAmbiguous:
		charged.Uncertain++
		return charged.again(m, now)
	case OutcomeRetry:
		if providerWorks {
			return charged.again(m, now)
		}
	case OutcomeThrottled, OutcomeMisconfigured:
	case OutcomeNotTried:
		return mem
	}
	mem.Status, mem.At, mem.Error = Retrying, now, o.Code
	return mem
}

// again is mem waiting for its next attempt, or ended where there is none.
func (mem Member) again(m Mailing, now time.Time) Member {
	mem.Status = Retrying
	switch {
	case mem.Uncertain > 0 && m.OnUncertain == Stop:
		mem.Status = Uncertain
	case mem.Attempts >= MaxAttempts:
		mem.Status = honest(mem, Failed)
	case m.Closed(now):
		return mem.Decided(Decide(m, nil, mem, now), now)
	}
	return mem
}
