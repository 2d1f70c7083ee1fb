package mailing

import "time"

// MessageStatus is the stage of a message's life.
type MessageStatus string

// Pending statuses.
const (
	Queued   MessageStatus = "queued"
	Retrying MessageStatus = "retrying"
	Deferred MessageStatus = "deferred"
	// Sending is the status that a pending message shows while a sender holds its batch.
	// It is never stored, and counts have no field for it.
	Sending MessageStatus = "sending"
)

// Terminal statuses.
const (
	Sent    MessageStatus = "sent"
	Failed  MessageStatus = "failed"
	Expired MessageStatus = "expired"
	// Cancelled means that the mailing was cancelled before the message was sent.
	Cancelled MessageStatus = "cancelled"
	// Skipped means that the client was deleted.
	Skipped MessageStatus = "skipped"
	// Uncertain means that the message may have been delivered, and may not be tried
	// again.
	Uncertain MessageStatus = "uncertain"
)

// MessageStatuses holds all statuses that a message can show.
var MessageStatuses = []MessageStatus{ //nolint:gochecknoglobals // a list that no code changes
	Queued, Retrying, Deferred, Sending, Sent, Failed, Expired, Cancelled, Skipped, Uncertain,
}

// Pending reports whether the message still waits for something.
func (s MessageStatus) Pending() bool {
	return s == Queued || s == Retrying || s == Deferred || s == Sending
}

// Recipient is one message as an entry of its batch.
type Recipient struct {
	Client   ClientID
	Status   MessageStatus
	Attempts int
	// Uncertain is the number of attempts that the sending API may have accepted, but for
	// which no valid answer was recorded. It never goes down. A message with uncertain
	// attempts ends as [Sent] or [Uncertain].
	Uncertain int
	// At is when the status was last decided.
	At time.Time
	// Error is the code of the last attempt that did not succeed. [Sent] clears it.
	Error string
	// NotBefore is the instant before which a pending message is not handed over, even if
	// its batch is claimed earlier for other messages: the end of its backoff, or its
	// window's opening. The zero time is no limit.
	NotBefore time.Time
}

// Message is a message as the API shows it.
type Message struct {
	ID        MessageID
	Phone     string
	Member    Recipient
	CreatedAt time.Time
	// Test is set on a test message.
	Test *Test
}

// SentAt returns when the message was accepted, the zero time if it was not.
func (m Recipient) SentAt() time.Time {
	if m.Status != Sent {
		return time.Time{}
	}
	return m.At
}

// Counts holds the number of a mailing's messages in each status. Total is always the sum
// of the others.
type Counts struct { //nolint:recvcheck // a value; only Of and Count change one in place
	Total, Queued, Retrying, Deferred                    int64
	Sent, Failed, Expired, Cancelled, Skipped, Uncertain int64
}

// Of returns the field for one status; nil for [Sending], which has none.
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

// Plus returns c plus d.
func (c Counts) Plus(d Counts) Counts { return c.each(d, 1) }

// Minus returns c minus d.
func (c Counts) Minus(d Counts) Counts { return c.each(d, -1) }

func (c Counts) each(d Counts, sign int64) Counts {
	for _, s := range MessageStatuses {
		if p := d.Of(s); p != nil {
			c.Count(s, sign**p)
		}
	}
	return c
}

// Pending returns the number of messages that still wait for something.
func (c Counts) Pending() int64 { return c.Queued + c.Retrying + c.Deferred }

// Terminal returns the number of messages with a terminal status.
func (c Counts) Terminal() int64 { return c.Total - c.Pending() }

// CountRecipients returns the number of recipients in each status.
func CountRecipients(recipients []Recipient) Counts {
	var c Counts
	for _, m := range recipients {
		c.Count(m.Status, 1)
	}
	return c
}
