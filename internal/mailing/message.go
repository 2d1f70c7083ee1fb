package mailing

import "time"

// MessageStatus is where one message is in its life.
type MessageStatus string

// Pending statuses.
const (
	Queued   MessageStatus = "queued"
	Retrying MessageStatus = "retrying"
	Deferred MessageStatus = "deferred"
	// Sending is what a pending message shows while a sender holds its batch.
	// It is never stored, and counts have no place for it.
	Sending MessageStatus = "sending"
)

// Terminal statuses.
const (
	Sent    MessageStatus = "sent"
	Failed  MessageStatus = "failed"
	Expired MessageStatus = "expired"
	// Cancelled is the status of a message that its mailing's cancellation
	// overtook.
	Cancelled MessageStatus = "cancelled"
	// Skipped: the client is gone.
	Skipped MessageStatus = "skipped"
	// Uncertain: it may have been delivered, and may not be tried again.
	Uncertain MessageStatus = "uncertain"
)

// MessageStatuses are all statuses that a message can show.
var MessageStatuses = []MessageStatus{ //nolint:gochecknoglobals // a list that nobody changes
	Queued, Retrying, Deferred, Sending, Sent, Failed, Expired, Cancelled, Skipped, Uncertain,
}

// Pending reports whether the message still waits for something.
func (s MessageStatus) Pending() bool {
	return s == Queued || s == Retrying || s == Deferred || s == Sending
}

// Member is one message as an entry of its batch.
type Member struct {
	Client   ClientID
	Status   MessageStatus
	Attempts int
	// Uncertain is how many attempts may have been accepted without a valid
	// answer that was recorded. It never goes down. Only [Sent] clears the doubt:
	// a message with uncertain attempts ends as [Sent] or [Uncertain].
	Uncertain int
	// At is when the status was last decided.
	At time.Time
	// Error is the code of the last attempt that did not succeed.
	Error string
	// NotBefore is the instant before which a pending member is not handed over,
	// whenever its batch is claimed for others: the end of its backoff, or its
	// window's opening. The zero time is no limit.
	NotBefore time.Time
}

// Message is a message as a person sees it.
type Message struct {
	ID        MessageID
	Phone     string
	Member    Member
	CreatedAt time.Time
	// Test is set on a test message.
	Test *Test
}

// SentAt is when the message was accepted, the zero time if it was not.
func (m Member) SentAt() time.Time {
	if m.Status != Sent {
		return time.Time{}
	}
	return m.At
}

// Counts are how many messages of a mailing are in which status. Total is
// always the sum of the others.
type Counts struct { //nolint:recvcheck // a value; only Of and Count change one in place
	Total, Queued, Retrying, Deferred                    int64
	Sent, Failed, Expired, Cancelled, Skipped, Uncertain int64
}

// Of is the place of one status; nil for [Sending], which counts do not have.
func (c *Counts) Of(s MessageStatus) *int64 {
	switch s {
	case Queued:
		return &c.Queued
	case Retrying:
		return &c.Retrying
	case Deferred:
		return &c.Deferred
	case Sent:
		return &c.Sent
	case Failed:
		return &c.Failed
	case Expired:
		return &c.Expired
	case Cancelled:
		return &c.Cancelled
	case Skipped:
		return &c.Skipped
	case Uncertain:
		return &c.Uncertain
	case Sending:
	}
	return nil
}

// Count adds n messages of one status.
func (c *Counts) Count(s MessageStatus, n int64) {
	if p := c.Of(s); p != nil {
		*p += n
		c.Total += n
	}
}

// Plus is the sum of both.
func (c Counts) Plus(d Counts) Counts { return c.each(d, 1) }

// Minus is c without d.
func (c Counts) Minus(d Counts) Counts { return c.each(d, -1) }

func (c Counts) each(d Counts, sign int64) Counts {
	for _, s := range MessageStatuses {
		if p := d.Of(s); p != nil {
			c.Count(s, sign**p)
		}
	}
	return c
}

// Pending is how many messages still wait for something.
func (c Counts) Pending() int64 { return c.Queued + c.Retrying + c.Deferred }

// Terminal is how many messages are done with.
func (c Counts) Terminal() int64 { return c.Total - c.Pending() }

// CountMembers counts the members of a batch by status.
func CountMembers(members []Member) Counts {
	var c Counts
	for _, m := range members {
		c.Count(m.Status, 1)
	}
	return c
}
