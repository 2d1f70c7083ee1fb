package mailing

import "time"

// TestMailing is the mailing that test messages are of: none. Their ids are a
// counter of their own, in the place of the client's.
const TestMailing MailingID = 0

// TestTime is how long a test message is tried before it expires.
const TestTime = 10 * time.Minute

// Test is what a test message is besides a message: it goes to a phone that need
// not be a client's, with the text that its mailing has as it is sent.
type Test struct {
	Mailing MailingID
	Phone   string
}

// NewTest checks the phone that a test of m is to go to.
func NewTest(m Mailing, phone string) (Test, error) {
	var p problems
	checkPhone(&p, phone)
	return Test{Mailing: m.ID, Phone: phone}, p.err("the test")
}

// TestBatch is the batch of a test message.
func TestBatch(n ClientID, t Test, now time.Time) Batch {
	return Batch{
		Key:     BatchKey{Mailing: TestMailing, Slice: n.Slice(), Batch: BatchID{First: n}},
		Members: []Member{{Client: n, Status: Queued, At: now}}, CreatedAt: now,
		DueAt: now.Add(QueuedPatience), Test: &t,
	}
}

// ForTest is m as a test message made at created is decided on: whatever the
// mailing's times and window, for a short time, and never twice.
func (m Mailing) ForTest(created time.Time) Mailing {
	m.Status, m.Finished, m.Window, m.OnUncertain = StatusRunning, false, nil, Stop
	m.StartAt, m.EndAt, m.CancelledAt = created, created.Add(TestTime), time.Time{}
	return m
}

// Tests is the mailing that the sweep takes all test messages for.
func Tests(now time.Time) Mailing {
	return Mailing{ID: TestMailing, Status: StatusRunning, Draft: Draft{StartAt: now, EndAt: now.Add(time.Hour)}}
}
