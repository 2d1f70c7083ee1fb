// Package invariants checks the promise. It compares three records that must agree: the
// audience, the hand-overs that the sending API received, and the content of the tables.
// The fault tests and the tests of the deployed stack use it.
package invariants

import (
	"time"

	"postrider/internal/mailing"
)

// Records are the three records of some mailings.
type Records struct {
	Clients map[mailing.ClientID]*Client
	// Mailings holds the mailings to check. [mailing.TestMailing] holds the test messages.
	Mailings map[mailing.ID]*Mailing
	// Handovers holds the hand-overs of these mailings that the sending API received.
	Handovers map[mailing.MessageID][]Handover
	// Retention is how long messages are kept after the end of their mailing.
	Retention time.Duration
	// Totals are the counts of all mailings as the overall statistics show them. They are
	// nil if Mailings does not hold all mailings.
	Totals *mailing.Counts
}

// Client is a client in its last state. The test that created and changed it knows the
// times.
type Client struct {
	mailing.Client

	// The client was created after CreatedAfter, and existed at CreatedBefore.
	CreatedAfter, CreatedBefore time.Time
	// EditedAt is when the client was last edited, DeletedAt when it was deleted.
	EditedAt, DeletedAt time.Time
	// Phones and Zones are all phones and time zones that the client ever had.
	Phones, Zones map[string]bool
}

// NewClient returns a client that was created after one instant and existed at another.
func NewClient(c mailing.Client, after, before time.Time) *Client {
	return &Client{
		Client: c, CreatedAfter: after, CreatedBefore: before,
		Phones: map[string]bool{c.Phone: true}, Zones: map[string]bool{c.Timezone: true},
	}
}

// Edit records that the client has had another state since an instant.
func (c *Client) Edit(to mailing.Client, at time.Time) {
	c.Client, c.EditedAt = to, at
	c.Phones[to.Phone], c.Zones[to.Timezone] = true, true
}

// ChangedAt returns when the client was last edited or deleted.
func (c *Client) ChangedAt() time.Time {
	if c.DeletedAt.After(c.EditedAt) {
		return c.DeletedAt
	}
	return c.EditedAt
}

// Mailing is a mailing with all that the tables hold of it.
type Mailing struct {
	mailing.Mailing // as it is stored now; test messages have none

	Slices  mailing.SliceStates
	Batches []Batch
	// Timeline holds all states that the mailing had. If it is empty, the stored times are
	// taken for those that the mailing always had.
	Timeline Timeline
	// Shown are the counts that the API shows. They are nil if the test has not read them.
	Shown *mailing.Counts
}

// Batch is a batch as it is stored.
type Batch struct {
	mailing.Batch

	// TTL is when DynamoDB may remove the batch, in seconds since 1970; 0 is never.
	TTL int64
}

// Recipients returns the recipients of all batches.
func (m *Mailing) Recipients() []mailing.Recipient {
	var all []mailing.Recipient
	for _, b := range m.Batches {
		all = append(all, b.Recipients...)
	}
	return all
}

// Handover is one hand-over to the sending API.
type Handover struct {
	At    time.Time
	Phone string
	// Taken is true if the sending API took the message, whatever its answer was.
	Taken bool
}

// taken returns how often the sending API took a message.
func taken(handovers []Handover) int {
	n := 0
	for _, h := range handovers {
		if h.Taken {
			n++
		}
	}
	return n
}
