package dynamo

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"postrider/internal/mailing"
)

// batchItem is a batch as it is stored. What is not set is left out: the index
// "due" holds just the batches that have a due_at.
type batchItem struct {
	Part       string       `dynamodbav:"part"`
	Sort       string       `dynamodbav:"id"`
	Members    []memberItem `dynamodbav:"members"`
	CreatedAt  int64        `dynamodbav:"created_at"`
	Holder     string       `dynamodbav:"holder,omitempty"`
	LeaseUntil int64        `dynamodbav:"lease_until,omitempty"`
	Claims     int          `dynamodbav:"claims,omitempty"`
	Round      int          `dynamodbav:"round,omitempty"`
	NotBefore  int64        `dynamodbav:"not_before,omitempty"`
	DueAt      int64        `dynamodbav:"due_at,omitempty"`
	Plan       int64        `dynamodbav:"plan"`
	Sweeps     int          `dynamodbav:"sweeps,omitempty"`
	// TTL is when DynamoDB may remove it, in seconds since 1970.
	TTL int64 `dynamodbav:"ttl,omitempty"`
}

// memberItem has one-letter names because names are paid for with each of a
// million messages.
type memberItem struct {
	Client    mailing.ClientID `dynamodbav:"c"`
	Status    string           `dynamodbav:"s"`
	Attempts  int              `dynamodbav:"a,omitempty"`
	Uncertain int              `dynamodbav:"u,omitempty"`
	Ambiguous bool             `dynamodbav:"m,omitempty"`
	At        int64            `dynamodbav:"t"`
	Error     string           `dynamodbav:"e,omitempty"`
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
	it := batchItem{
		Part: batchPart(b.Key.Mailing, b.Key.Slice), Sort: batchSort(b.Key.Batch),
		Members: make([]memberItem, len(b.Members)), CreatedAt: toMillis(b.CreatedAt),
		Holder: b.Holder, LeaseUntil: toMillis(b.LeaseUntil), Claims: b.Claims, Round: b.Round,
		NotBefore: toMillis(b.NotBefore), DueAt: toMillis(b.DueAt), Plan: b.Plan,
	}
	for i, mem := range b.Members {
		it.Members[i] = memberItem{
			Client: mem.Client, Status: statusCodes[mem.Status], Attempts: mem.Attempts, Uncertain: mem.Uncertain,
			Ambiguous: mem.Ambiguous, At: toMillis(mem.At), Error: mem.Error,
		}
	}
	if it.DueAt == 0 {
		it.TTL = m.EndAt.Add(s.retention).Unix()
	}
	encoded, err := attributevalue.MarshalMap(it)
	if err != nil {
		return nil, fmt.Errorf("encode batch %s: %w", b.Key, err)
	}
	return encoded, nil
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
	b := mailing.Batch{
		Key: k, Members: make([]mailing.Member, len(it.Members)), CreatedAt: fromMillis(it.CreatedAt),
		Holder: it.Holder, LeaseUntil: fromMillis(it.LeaseUntil), Claims: it.Claims, Round: it.Round,
		NotBefore: fromMillis(it.NotBefore), DueAt: fromMillis(it.DueAt), Plan: it.Plan,
	}
	for i, mem := range it.Members {
		status, ok := statusOfCode[mem.Status]
		if !ok {
			return mailing.Batch{}, fmt.Errorf("decode batch %s: unknown status code %q", k, mem.Status)
		}
		b.Members[i] = mailing.Member{
			Client: mem.Client, Status: status, Attempts: mem.Attempts, Uncertain: mem.Uncertain,
			Ambiguous: mem.Ambiguous, At: fromMillis(mem.At), Error: mem.Error,
		}
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
