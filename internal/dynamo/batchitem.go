package dynamo

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"postrider/internal/mailing"
)

// batchItem is a batch as it is stored. What is not set is left out: the index
// "due" holds just the batches that have a due_at.
type batchItem struct {
	Part string `dynamodbav:"part"`
	Sort string `dynamodbav:"id"`
	// Members is a list of memberItem as JSON text: they are always read and
	// written together, and as a list of maps they cost four times as much to
	// encode and to pass on.
	Members    string `dynamodbav:"members"`
	CreatedAt  int64  `dynamodbav:"created_at"`
	Holder     string `dynamodbav:"holder,omitempty"`
	LeaseUntil int64  `dynamodbav:"lease_until,omitempty"`
	Claims     int    `dynamodbav:"claims,omitempty"`
	// FirstFrom and FirstUntil are the lease of the first claim since the batch
	// was last settled.
	FirstFrom  int64 `dynamodbav:"first_from,omitempty"`
	FirstUntil int64 `dynamodbav:"first_until,omitempty"`
	Losses     int   `dynamodbav:"losses,omitempty"`
	Round      int   `dynamodbav:"round,omitempty"`
	NotBefore  int64 `dynamodbav:"not_before,omitempty"`
	DueAt      int64 `dynamodbav:"due_at,omitempty"`
	Plan       int64 `dynamodbav:"plan"`
	Sweeps     int   `dynamodbav:"sweeps,omitempty"`
	StartedAt  int64 `dynamodbav:"started_at,omitempty"`
	// Both are set on the batch of a test message.
	TestMailing mailing.MailingID `dynamodbav:"test_mailing,omitempty"`
	TestPhone   string            `dynamodbav:"test_phone,omitempty"`
	// TTL is when DynamoDB may remove it, in seconds since 1970.
	TTL int64 `dynamodbav:"ttl,omitempty"`
}

// memberItem has one-letter names because names are paid for with each of a
// million messages.
type memberItem struct {
	Client    mailing.ClientID `json:"c"`
	Status    string           `json:"s"`
	Attempts  int              `json:"a,omitempty"`
	Uncertain int              `json:"u,omitempty"`
	At        int64            `json:"t"`
	Error     string           `json:"e,omitempty"`
	NotBefore int64            `json:"n,omitempty"`
}

var statusCodes = map[mailing.MessageStatus]string{ //nolint:gochecknoglobals // a table that nobody changes
	mailing.Queued: "q", mailing.Retrying: "r", mailing.Deferred: "d", mailing.Sent: "s", mailing.Failed: "f",
	mailing.Expired: "x", mailing.Cancelled: "c", mailing.Skipped: "k", mailing.Uncertain: "u",
}

var statusOfCode = func() map[string]mailing.MessageStatus { //nolint:gochecknoglobals // the same table, read the other way round
	statuses := make(map[string]mailing.MessageStatus, len(statusCodes))
	for status, code := range statusCodes {
		statuses[code] = status
	}
	return statuses
}()

// encodeBatch is b as it is stored. One with nothing pending expires some time
// after its mailing's end; one with anything pending never does.
func (s *Store) encodeBatch(b mailing.Batch, m mailing.Mailing) (item, error) {
	members, err := encodeMembers(b.Members)
	if err != nil {
		return nil, fmt.Errorf("encode the members of batch %s: %w", b.Key, err)
	}
	it := batchItem{
		Part: batchPart(b.Key.Mailing, b.Key.Slice), Sort: batchSort(b.Key.Batch),
		Members: members, CreatedAt: toMillis(b.CreatedAt),
		Holder: b.Holder, LeaseUntil: toMillis(b.LeaseUntil), Claims: b.Claims, Round: b.Round,
		FirstFrom: toMillis(b.Lost.From), FirstUntil: toMillis(b.Lost.Until), Losses: b.Losses,
		NotBefore: toMillis(b.NotBefore), DueAt: toMillis(b.DueAt), Plan: b.Plan, StartedAt: toMillis(b.StartedAt),
	}
	if b.Test != nil {
		it.TestMailing, it.TestPhone = b.Test.Mailing, b.Test.Phone
	}
	if it.DueAt == 0 {
		it.TTL = s.expiry(m)
	}
	encoded, err := attributevalue.MarshalMap(it)
	if err != nil {
		return nil, fmt.Errorf("encode batch %s: %w", b.Key, err)
	}
	return encoded, nil
}

func encodeMembers(members []mailing.Member) (string, error) {
	items := make([]memberItem, len(members))
	for i, mem := range members {
		items[i] = memberItem{
			Client: mem.Client, Status: statusCodes[mem.Status], Attempts: mem.Attempts, Uncertain: mem.Uncertain,
			At: toMillis(mem.At), Error: mem.Error, NotBefore: toMillis(mem.NotBefore),
		}
	}
	text, err := json.Marshal(items)
	return string(text), err
}

func decodeMembers(text string) ([]mailing.Member, error) {
	var items []memberItem
	if err := json.Unmarshal([]byte(text), &items); err != nil {
		return nil, err
	}
	members := make([]mailing.Member, len(items))
	for i, mem := range items {
		status, ok := statusOfCode[mem.Status]
		if !ok {
			return nil, fmt.Errorf("unknown status code %q", mem.Status)
		}
		members[i] = mailing.Member{
			Client: mem.Client, Status: status, Attempts: mem.Attempts, Uncertain: mem.Uncertain,
			At: fromMillis(mem.At), Error: mem.Error, NotBefore: fromMillis(mem.NotBefore),
		}
	}
	return members, nil
}

func decodeBatch(encoded item) (mailing.Batch, error) {
	var it batchItem
	if err := attributevalue.UnmarshalMap(encoded, &it); err != nil {
		return mailing.Batch{}, fmt.Errorf("decode a batch: %w", err)
	}
	k, err := decodeBatchKey(it.Part, it.Sort)
	if err != nil {
		return mailing.Batch{}, err
	}
	members, err := decodeMembers(it.Members)
	if err != nil {
		return mailing.Batch{}, fmt.Errorf("decode the members of batch %s: %w", k, err)
	}
	b := mailing.Batch{
		Key: k, Members: members, CreatedAt: fromMillis(it.CreatedAt),
		Holder: it.Holder, LeaseUntil: fromMillis(it.LeaseUntil), Claims: it.Claims, Round: it.Round,
		Lost: mailing.Lease{From: fromMillis(it.FirstFrom), Until: fromMillis(it.FirstUntil)}, Losses: it.Losses,
		NotBefore: fromMillis(it.NotBefore), DueAt: fromMillis(it.DueAt), Plan: it.Plan, StartedAt: fromMillis(it.StartedAt),
	}
	if it.TestPhone != "" {
		b.Test = &mailing.Test{Mailing: it.TestMailing, Phone: it.TestPhone}
	}
	return b, nil
}

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
