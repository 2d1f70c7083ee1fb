package mailing

import "time"

// TestMailing is the mailing id of test messages, which belong to no mailing. In the id of a
// test message, the number of a separate counter has the place of the client's id.
const TestMailing ID = 0

// TestTime is how long a test message is tried before it expires.
const TestTime = 10 * time.Minute

// Test holds the additional data of a test message. It goes to a phone that need not be a
// client's. Its text is the text that the mailing has at the hand-over.
type Test struct {
	Mailing ID
	Phone   string
}

// NewTest returns a test of m. The error is [KindInvalid] if the phone is not valid.
func NewTest(m Mailing, phone string) (Test, error) {
	var p problems
	checkPhone(&p, phone)
	return Test{Mailing: m.ID, Phone: phone}, p.err("the test")
}

// TestBatch returns the batch of a test message.
func TestBatch(n ClientID, t Test, now time.Time) Batch {
	return Batch{
		Key:        BatchKey{Mailing: TestMailing, Slice: n.Slice(), Batch: BatchID{First: n}},
		Recipients: []Recipient{{Client: n, Status: Queued, At: now}}, CreatedAt: now,
		DueAt: now.Add(QueuedOverdueAfter), Test: &t,
	}
}

// ForTest returns m as senders use it to decide on a test message that was made at
// created. The mailing's times and window do not apply: the message is tried for a short
// time, and never twice after an ambiguous outcome.
func (m Mailing) ForTest(created time.Time) Mailing {
	m.Status, m.Finished, m.Window, m.OnUncertain = StatusRunning, false, nil, Stop
	m.StartAt, m.EndAt, m.CancelledAt = created, created.Add(TestTime), time.Time{}
	return m
}

// Tests returns a mailing that stands for all test messages in a sweep.
func Tests(now time.Time) Mailing {
	return Mailing{ID: TestMailing, Status: StatusRunning, Draft: Draft{StartAt: now, EndAt: now.Add(time.Hour)}}
}
