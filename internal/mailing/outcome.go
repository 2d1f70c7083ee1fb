package mailing

import "time"

// OutcomeKind classifies the result of one hand-over to the sending API.
type OutcomeKind uint8

const (
	// OutcomeSent means that the message was certainly accepted (200 and code 0).
	OutcomeSent OutcomeKind = iota + 1
	// OutcomeRejected means that the message was refused for good (400 and 422).
	OutcomeRejected
	// OutcomeRetry means that the message was certainly not accepted, and is worth
	// another attempt.
	OutcomeRetry
	// OutcomeAmbiguous means that the request was, or may have been, written, and no
	// valid answer came. The message may have been accepted.
	OutcomeAmbiguous
	// OutcomeThrottled means that the API asked the sender to wait (429). It uses no
	// attempt.
	OutcomeThrottled
	// OutcomeMisconfigured means that the API does not accept the caller or the request
	// (401, 403, a redirect, any 4xx without another meaning). It uses no attempt.
	OutcomeMisconfigured
	// OutcomeNotTried means that no request was begun (no time left, the environment is
	// shutting down). It uses no attempt.
	OutcomeNotTried
)

// String returns the kind's name, as metrics show it.
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

// Outcome is the result of one hand-over.
type Outcome struct {
	Kind OutcomeKind
	// Code says what happened in a few stable words ("http_503", "timeout",
	// "code_not_zero"). It is stored with the message and shown as last_error. It
	// contains nothing from outside but numbers.
	Code string
	// RetryAfter is how long the API asked the sender to wait, 0 if it did not say.
	RetryAfter time.Duration
}

// Valid reports whether the answer is valid: the sending API accepted or rejected the
// message. A valid answer shows that the API works.
func (o Outcome) Valid() bool { return o.Kind == OutcomeSent || o.Kind == OutcomeRejected }

// Handover is the content of one request to the sending API.
type Handover struct {
	ID    MessageID
	Phone string
	Text  string
	// Before is the instant from which the hand-over may no longer begin; the zero time
	// is no limit.
	Before time.Time
}
