package dynamo

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"postrider/internal/mailing"
)

// batchItem is a batch as it is stored. Attributes that are not set are left out. So
// the index "due" holds only batches that have a due_at.
type batchItem struct {
	Part string `dynamodbav:"part"`
	Sort string `dynamodbav:"id"`
	// Recipients is a list of recipientItem as JSON text. The recipients are always
	// read and written together. A list of maps would cost four times as much to encode
	// and to transfer.
	Recipients string `dynamodbav:"members"`
	CreatedAt  int64  `dynamodbav:"created_at"`
	Holder     string `dynamodbav:"holder,omitempty"`
	LeaseUntil int64  `dynamodbav:"lease_until,omitempty"`
	Claims     int    `dynamodbav:"claims,omitempty"`
	// FirstFrom and FirstUntil are the lease of the first claim since the batch was
	// last settled.
	FirstFrom  int64 `dynamodbav:"first_from,omitempty"`
	FirstUntil int64 `dynamodbav:"first_until,omitempty"`
	Losses     int   `dynamodbav:"losses,omitempty"`
	Round      int   `dynamodbav:"round,omitempty"`
	NotBefore  int64 `dynamodbav:"not_before,omitempty"`
	DueAt      int64 `dynamodbav:"due_at,omitempty"`
	Generation int64 `dynamodbav:"plan"`
	// Sweeps is how often a sweep has queued the batch since it was last claimed. Only
	// [Store.Postpone] sets it.
	Sweeps    int   `dynamodbav:"sweeps,omitempty"`
	StartedAt int64 `dynamodbav:"started_at,omitempty"`
	// TestMailing and TestPhone are set only on the batch of a test message.
	TestMailing mailing.ID `dynamodbav:"test_mailing,omitempty"`
	TestPhone   string     `dynamodbav:"test_phone,omitempty"`
	// TTL is when DynamoDB may remove the item, in seconds since 1970.
	TTL int64 `dynamodbav:"ttl,omitempty"`
}

// recipientItem is a recipient of a batch as it is stored. It has names of one letter
// because each name is stored, and paid for, once per message. At and NotBefore are in
// milliseconds since 1970.
type recipientItem struct {
	Client    mailing.ClientID `json:"c"`
	Status    string           `json:"s"`
	Attempts  int              `json:"a,omitempty"`
	Uncertain int              `json:"u,omitempty"`
	At        int64            `json:"t"`
	Error     string           `json:"e,omitempty"`
	NotBefore int64            `json:"n,omitempty"`
}

// statusCodes holds the stored code of each status.
var statusCodes = map[mailing.MessageStatus]string{ //nolint:gochecknoglobals // read-only after initialization
	mailing.Queued: "q", mailing.Retrying: "r", mailing.Deferred: "d", mailing.Sent: "s", mailing.Failed: "f",
	mailing.Expired: "x", mailing.Cancelled: "c", mailing.Skipped: "k", mailing.Uncertain: "u",
}

// statusOfCode holds the status of each stored code.
var statusOfCode = func() map[string]mailing.MessageStatus { //nolint:gochecknoglobals // the reverse of statusCodes
	statuses := make(map[string]mailing.MessageStatus, len(statusCodes))
	for status, code := range statusCodes {
		statuses[code] = status
	}
	return statuses
}()

// encodeBatch returns b as it is stored. A batch without pending messages expires when
// the retention after the end of m is over. A batch with pending messages never
// expires.
func (s *Store) encodeBatch(b mailing.Batch, m mailing.Mailing) (item, error) {
	recipients, err := encodeRecipients(b.Recipients)
	if err != nil {
		return nil, fmt.Errorf("encode the recipients of batch %s: %w", b.Key, err)
	}
	it := batchItem{
		Part: batchPart(b.Key.Mailing, b.Key.Slice), Sort: batchSort(b.Key.Batch),
		Recipients: recipients, CreatedAt: toMillis(b.CreatedAt),
		Holder: b.Holder, LeaseUntil: toMillis(b.LeaseUntil), Claims: b.Claims, Round: b.Round,
		FirstFrom: toMillis(b.Lost.From), FirstUntil: toMillis(b.Lost.Until), Losses: b.Losses,
		NotBefore: toMillis(b.NotBefore), DueAt: toMillis(b.DueAt), Generation: b.Generation, StartedAt: toMillis(b.StartedAt),
	}
	if b.Test != nil {
		it.TestMailing, it.TestPhone = b.Test.Mailing, b.Test.Phone
	}
	// A batch without due_at has nothing pending, so it may expire.
	if it.DueAt == 0 {
		it.TTL = s.expiry(m)
	}
	encoded, err := attributevalue.MarshalMap(it)
	if err != nil {
		return nil, fmt.Errorf("encode batch %s: %w", b.Key, err)
	}
	return encoded, nil
}

// encodeRecipients returns recipients as JSON text. The same recipients always give the same
// text: conditions compare it with the stored one.
func encodeRecipients(recipients []mailing.Recipient) (string, error) {
	items := make([]recipientItem, len(recipients))
	for i, rec := range recipients {
		items[i] = recipientItem{
			Client: rec.Client, Status: statusCodes[rec.Status], Attempts: rec.Attempts, Uncertain: rec.Uncertain,
			At: toMillis(rec.At), Error: rec.Error, NotBefore: toMillis(rec.NotBefore),
		}
	}
	text, err := json.Marshal(items)
	return string(text), err
}

// decodeRecipients reads recipients from JSON text. An unknown status code is an error.
func decodeRecipients(text string) ([]mailing.Recipient, error) {
	var items []recipientItem
	if err := json.Unmarshal([]byte(text), &items); err != nil {
		return nil, err
	}
	recipients := make([]mailing.Recipient, len(items))
	for i, it := range items {
		status, ok := statusOfCode[it.Status]
		if !ok {
			return nil, fmt.Errorf("unknown status code %q", it.Status)
		}
		recipients[i] = mailing.Recipient{
			Client: it.Client, Status: status, Attempts: it.Attempts, Uncertain: it.Uncertain,
			At: fromMillis(it.At), Error: it.Error, NotBefore: fromMillis(it.NotBefore),
		}
	}
	return recipients, nil
}

// decodeBatch reads a batch from an item of the table. It cannot read a row of an
// index, which does not have all attributes of a batch.
func decodeBatch(encoded item) (mailing.Batch, error) {
	var it batchItem
	if err := attributevalue.UnmarshalMap(encoded, &it); err != nil {
		return mailing.Batch{}, fmt.Errorf("decode a batch: %w", err)
	}
	k, err := decodeBatchKey(it.Part, it.Sort)
	if err != nil {
		return mailing.Batch{}, err
	}
	recipients, err := decodeRecipients(it.Recipients)
	if err != nil {
		return mailing.Batch{}, fmt.Errorf("decode the recipients of batch %s: %w", k, err)
	}
	b := mailing.Batch{
		Key: k, Recipients: recipients, CreatedAt: fromMillis(it.CreatedAt),
		Holder: it.Holder, LeaseUntil: fromMillis(it.LeaseUntil), Claims: it.Claims, Round: it.Round,
		Lost: mailing.Lease{From: fromMillis(it.FirstFrom), Until: fromMillis(it.FirstUntil)}, Losses: it.Losses,
		NotBefore: fromMillis(it.NotBefore), DueAt: fromMillis(it.DueAt), Generation: it.Generation, StartedAt: fromMillis(it.StartedAt),
	}
	if it.TestPhone != "" {
		b.Test = &mailing.Test{Mailing: it.TestMailing, Phone: it.TestPhone}
	}
	return b, nil
}

// decodeBatchKey reads the key of a batch from the partition and sort key of its item.
func decodeBatchKey(part, sort string) (mailing.BatchKey, error) {
	var k mailing.BatchKey
	if _, err := fmt.Sscanf(part, "%d#%d", &k.Mailing, &k.Slice); err != nil {
		return k, fmt.Errorf("decode the partition %q of a batch: %w", part, err)
	}
	id, err := mailing.ParseBatchID(strings.TrimPrefix(sort, batchPrefix))
	if err != nil {
		return k, fmt.Errorf("decode the key of a batch: %w", err)
	}
	k.Batch = id
	return k, nil
}
