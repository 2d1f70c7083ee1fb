package mailing

import "time"

// Action is what has to be done with a message now.
type Action uint8

const (
	// Send means that the message is handed over.
	Send Action = iota + 1
	// Defer means that the message waits until its client's window, or its mailing,
	// opens.
	Defer
	// Later means that the message stays as it is until it may be tried again.
	Later
	// Hold means that the message stays as it is until the mailing is resumed.
	Hold
	// Finish means that the message gets a terminal status.
	Finish
)

// Decision is an action for a message now, with its details.
type Decision struct {
	Action Action
	// Status is the terminal status, for [Finish].
	Status MessageStatus
	// Until is when to decide again, for [Defer] and [Later]. For [Send] it is the
	// instant from which the hand-over may no longer begin.
	Until time.Time
}

// MaxAttempts is the maximum number of attempts for a message.
const MaxAttempts = 10

// Decide returns what has to be done with a message at this instant. The sender calls it
// again immediately before each hand-over. client is nil if it was deleted.
//
// The order of the cases matters: a closed mailing and a deleted client end a message
// even while the mailing is paused.
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

// finish returns the decision to end a message that may not be tried again. A message
// that an earlier attempt may have delivered ends as [Uncertain], whatever the reason for
// its end.
func finish(mem Member, s MessageStatus) Decision {
	return Decision{Action: Finish, Status: honest(mem, s)}
}

// honest returns the terminal status of mem. s is the status for a message that was
// certainly not delivered.
func honest(mem Member, s MessageStatus) MessageStatus {
	if mem.Uncertain > 0 {
		return Uncertain
	}
	return s
}

// span returns when hand-overs to a client may begin next, and from when they may no
// longer begin. opens is now if the client's window is open. Neither of the two is later
// than the mailing's end.
func (m Mailing) span(c Client, now time.Time) (opens, closes time.Time) {
	if m.Window == nil {
		return now, m.EndAt
	}
	loc, err := Zone(c.Timezone)
	if err != nil {
		// The directory holds only zones that can be loaded. If the zone database ever
		// drops one, a message some hours early or late is better than a message that is
		// never sent.
		loc = time.UTC
	}
	opens = earlier(m.Window.Opening(loc, now), m.EndAt)
	return opens, earlier(m.Window.Closing(loc, opens), m.EndAt)
}

// Decided returns mem after a decision other than [Send].
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

// After returns mem after one hand-over. An ambiguous outcome always uses an attempt. An
// attempt that certainly failed and may be repeated is used only if the provider is known
// to work; otherwise the provider is the cause. A later refusal does not clear an earlier
// ambiguous attempt.
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

// again returns mem as it waits for its next attempt, or with a terminal status if there
// may be none.
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
