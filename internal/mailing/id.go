package mailing

import "fmt"

// Slices is the number of parts into which an audience, and with it a mailing's batches
// and counts, is divided. It is part of stored keys: changing it needs a migration.
const Slices = 16

// The sizes of ids. A message's id contains the ids of its mailing (21 bits) and of its
// client (32 bits). So a message is found by its id without an index, and a browser reads
// the id from JSON without rounding it (up to 2^53).
const (
	// MaxID is the largest id of a mailing.
	MaxID ID = 1<<21 - 1
	// MaxFirstID is the largest id for the first mailing of a deployment. It
	// leaves a million ids for later mailings.
	MaxFirstID ID = 1<<20 - 1
	// MaxFirstTestID is the largest id for the first test message of a deployment. In a
	// message id it has the place of the client's id.
	MaxFirstTestID ClientID = 1<<31 - 1
	clientBits              = 32
)

// ClientID is a random number from 1 to 2^32-1 that is never used twice.
type ClientID uint32

// ID is the id of a mailing: a counter up to [MaxID]. Each deployment begins at a number of
// its own, 1 to [MaxFirstID], so that two deployments do not hand different messages with
// the same id to one sending API. The number is drawn at random, unless it is configured.
type ID uint32

// MessageID is mailing id << 32 | client id. It is unique, below 2^53, and the same each
// time it is computed.
type MessageID int64

// Slice returns the part of an audience that the client belongs to, 0 to Slices-1.
func (id ClientID) Slice() int { return int(id % Slices) }

// NewMessageID returns the id of the message of one mailing to one client.
func NewMessageID(m ID, c ClientID) MessageID {
	return MessageID(int64(m)<<clientBits | int64(c))
}

// Mailing returns the mailing that the message belongs to.
func (id MessageID) Mailing() ID { return ID(id >> clientBits) } //nolint:gosec // G115: Valid bounds it

// Client returns the client that the message goes to.
func (id MessageID) Client() ClientID { return ClientID(id & (1<<clientBits - 1)) }

// Valid reports whether the id can be the id of a message, test messages included.
func (id MessageID) Valid() bool {
	return id > 0 && id>>clientBits <= MessageID(MaxID) && id.Client() > 0
}

// BatchID names a batch within its mailing and slice: the first client of the page that
// wrote it, and its number in that page.
type BatchID struct {
	First ClientID
	N     int
}

// String returns the id as it is stored and queued. Ids of one slice sort by page.
func (id BatchID) String() string { return fmt.Sprintf("%010d#%03d", id.First, id.N) }

// ParseBatchID reads an id that [BatchID.String] wrote.
func ParseBatchID(s string) (BatchID, error) {
	var id BatchID
	if _, err := fmt.Sscanf(s, "%010d#%03d", &id.First, &id.N); err != nil || id.String() != s {
		return BatchID{}, Malformed("%q is not the id of a batch", s)
	}
	return id, nil
}

// BatchKey is the place where a batch is stored.
type BatchKey struct {
	Mailing ID
	Slice   int
	Batch   BatchID
}

// String returns the key for log lines.
func (k BatchKey) String() string { return fmt.Sprintf("%d#%02d/%s", k.Mailing, k.Slice, k.Batch) }
