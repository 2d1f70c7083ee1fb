package mailing

import "fmt"

// Slices is how many parts an audience, and with it a mailing's batches and
// counts, is divided into. It is part of stored keys: changing it needs a
// migration.
const Slices = 16

// Ids fit together so that a message's id needs no index and survives JSON in
// a browser (2^53): a mailing's takes 21 bits, a client's 32.
const (
	// MaxMailingID is the largest id of a mailing.
	MaxMailingID MailingID = 1<<21 - 1
	// MaxFirstMailingID is the largest id that the first mailing of a deployment
	// has: it leaves a million ids to those that follow.
	MaxFirstMailingID MailingID = 1<<20 - 1
	// MaxFirstTestID is the largest id that its first test message has, in the place
	// of the client's.
	MaxFirstTestID ClientID = 1<<31 - 1
	clientBits              = 32
)

// ClientID is a random number from 1 to 2^32-1, never used twice.
type ClientID uint32

// MailingID is a counter up to [MaxMailingID]. Each deployment begins at a number
// of its own, 1 to [MaxFirstMailingID], so that two of them do not hand different
// messages with one id to the same sending API.
type MailingID uint32

// MessageID is mailing id << 32 | client id: unique, below 2^53, and the same
// however often it is computed.
type MessageID int64

// Slice is the part of an audience that a client belongs to, 0 to Slices-1.
func (id ClientID) Slice() int { return int(id % Slices) }

// NewMessageID is the id of the message of one mailing to one client.
func NewMessageID(m MailingID, c ClientID) MessageID {
	return MessageID(int64(m)<<clientBits | int64(c))
}

// Mailing is the mailing that the message belongs to.
func (id MessageID) Mailing() MailingID { return MailingID(id >> clientBits) } //nolint:gosec // G115: Valid bounds it

// Client is the client whom the message goes to.
func (id MessageID) Client() ClientID { return ClientID(id & (1<<clientBits - 1)) }

// Valid reports whether the id can be one of a message at all, a test message
// included.
func (id MessageID) Valid() bool {
	return id > 0 && id>>clientBits <= MessageID(MaxMailingID) && id.Client() > 0
}

// BatchID names a batch within its mailing and slice: the first client of the
// page that it was expanded with, and its number in that page.
type BatchID struct {
	First ClientID
	N     int
}

// String is the id as it is stored and queued; ids of one slice sort by page.
func (id BatchID) String() string { return fmt.Sprintf("%010d#%03d", id.First, id.N) }

// ParseBatchID reads what [BatchID.String] wrote.
func ParseBatchID(s string) (BatchID, error) {
	var id BatchID
	if _, err := fmt.Sscanf(s, "%010d#%03d", &id.First, &id.N); err != nil || id.String() != s {
		return BatchID{}, Malformed("%q is not the id of a batch", s)
	}
	return id, nil
}

// BatchKey says where a batch is stored.
type BatchKey struct {
	Mailing MailingID
	Slice   int
	Batch   BatchID
}

// String is the key for log lines.
func (k BatchKey) String() string { return fmt.Sprintf("%d#%02d/%s", k.Mailing, k.Slice, k.Batch) }
