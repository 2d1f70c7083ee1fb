package mailing

import "time"

// OutcomeKind classifies what one hand-over to the sending API came to.
type OutcomeKind uint8

const (
	// OutcomeSent: accepted for certain (200 and code 0).
	OutcomeSent OutcomeKind = iota + 1
	// OutcomeRejected: refused for good (400 and 422).
	OutcomeRejected
	// OutcomeRetry: certainly not accepted, worth another try.
	OutcomeRetry
	// OutcomeAmbiguous: the request was, or may have been, written, and no
	// valid answer came. It may have been accepted.
	OutcomeAmbiguous
	// OutcomeThrottled: told to wait (429). Uses no attempt.
	OutcomeThrottled
	// OutcomeMisconfigured: the API does not know us, or the request (401, 403, a
	// redirect, any 4xx that says nothing else). Uses no attempt.
	OutcomeMisconfigured
	// OutcomeNotTried: no request was begun (no time left, the environment is
	// shutting down). Uses no attempt.
	OutcomeNotTried
)

// String is the kind's name, as metrics have it.
func (k OutcomeKind) String() string {
	switch k {
	case OutcomeSent:
		return "sent"
	case OutcomeRejected:
		return "rejected"
	case OutcomeRetry:
		return "retry"
	case OutcomeAmbiguous:
		return "ambiguous"
	case OutcomeThrottled:
		return "throttled"
	case OutcomeMisconfigured:
		return "misconfigured"
	case OutcomeNotTried:
		return "not_tried"
	}
	return "none"
}

// Outcome is what one hand-over came to.
type Outcome struct {
	Kind OutcomeKind
	// Code says what happened in a few stable words ("http_503", "timeout",
	// "code_not_zero"): it is stored with the message and shown as last_error.
	// It holds nothing that came from outside but numbers.
	Code string
	// RetryAfter is how long the API asked to wait, 0 if it did not say.
	RetryAfter time.Duration
}

// Valid reports whether the sending API answered properly: that it works, and
// that what it said about the message counts.
func (o Outcome) Valid() bool { return o.Kind == OutcomeSent || o.Kind == OutcomeRejected }

// Handover is what is handed to the sending API.
type Handover struct {
	ID    MessageID
	Phone string
	Text  string
	// Before is the instant from which on it may not begin any more; the zero
	// time is no limit.
	Before time.Time
}
