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
func Decide(m Mailing, client *Client, rec Recipient, now time.Time) Decision {
	switch {
	case m.Status == StatusCancelled || m.Deleted:
		return finish(rec, Cancelled)
	case !now.Before(m.EndAt):
		return finish(rec, Expired)
	case client == nil:
		return finish(rec, Skipped)
	case rec.Attempts >= MaxAttempts:
		return finish(rec, Failed)
	case m.OnUncertain == Stop && rec.Uncertain > 0:
		return finish(rec, Uncertain)
	case m.Status == StatusPaused:
		return Decision{Action: Hold}
	case now.Before(m.StartAt):
		return Decision{Action: Defer, Until: m.StartAt}
	}
	opens, closes := m.span(*client, now)
	switch {
	case opens.After(now):
		return Decision{Action: Defer, Until: opens}
	case now.Before(rec.NotBefore):
		return Decision{Action: Later, Until: rec.NotBefore}
	}
	return Decision{Action: Send, Until: closes}
}

// finish returns the decision to end a message that may not be tried again, with its
// [terminalStatus].
func finish(rec Recipient, s MessageStatus) Decision {
	return Decision{Action: Finish, Status: terminalStatus(rec, s)}
}

// terminalStatus returns the terminal status of rec: [Uncertain] if an earlier attempt may
// have delivered the message, whatever the reason for its end. Otherwise it returns s.
func terminalStatus(rec Recipient, s MessageStatus) MessageStatus {
	if rec.Uncertain > 0 {
		return Uncertain
	}
	return s
}

// span returns when hand-overs to a client may begin next, and from when they may no
// longer begin. opens is now if the client's window is open. If now is before the
// mailing's end, neither of the two is later than that end.
func (m Mailing) span(c Client, now time.Time) (opens, closes time.Time) {
	if m.Window == nil {
		return now, m.EndAt
	}
	loc, err := Zone(c.Timezone)
	if err != nil {
		// The directory holds only zones that can be loaded. If the zone database ever
		// drops one, UTC takes its place: a message that comes some hours early or late is
		// better than none.
		loc = time.UTC
	}
	opens = earlier(m.Window.Opening(loc, now), m.EndAt)
	return opens, earlier(m.Window.Closing(loc, opens), m.EndAt)
}

// Decided returns rec after a decision other than [Send].
func (rec Recipient) Decided(d Decision, now time.Time) Recipient {
	switch d.Action {
	case Finish:
		rec.Status, rec.At = d.Status, now
	case Defer:
		if rec.Status != Deferred {
			rec.Status, rec.At = Deferred, now
		}
	case Hold, Later, Send:
	}
	return rec
}

// After returns rec after one hand-over. An ambiguous outcome always uses an attempt. An
// [OutcomeRetry] uses an attempt only if the provider is known to work. Otherwise the
// provider is the cause of the failure. A later refusal does not clear an earlier ambiguous
// attempt.
func (rec Recipient) After(o Outcome, m Mailing, providerWorks bool, now time.Time) Recipient {
	charged := rec
	charged.Attempts++
	charged.At, charged.Error = now, o.Code
	switch o.Kind {
	case OutcomeSent:
		charged.Status, charged.Error = Sent, ""
		return charged
	case OutcomeRejected:
		charged.Status = terminalStatus(rec, Failed)
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
		return rec
	}
	rec.Status, rec.At, rec.Error = Retrying, now, o.Code
	return rec
}

// again returns rec as it waits for its next attempt, or with a terminal status if no
// further attempt is allowed.
func (rec Recipient) again(m Mailing, now time.Time) Recipient {
	rec.Status = Retrying
	switch {
	case rec.Uncertain > 0 && m.OnUncertain == Stop:
		rec.Status = Uncertain
	case rec.Attempts >= MaxAttempts:
		rec.Status = terminalStatus(rec, Failed)
	case m.Closed(now):
		return rec.Decided(Decide(m, nil, rec, now), now)
	}
	return rec
}
