package dynamo

import (
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// All three tables have the same key: a partition "part" and a sort key "id", both
// strings.
const (
	partKey = "part"
	sortKey = "id"
)

// item holds the attributes of an item, or of its key, in the types of the DynamoDB
// client.
type item = map[string]types.AttributeValue

// str returns a string attribute.
func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// num returns a number attribute.
func num[N ~int | ~int64 | ~uint32](n N) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(int64(n), 10)}
}

// boolean returns a boolean attribute.
func boolean(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }

// key returns the key of the item id in the partition part.
func key(part, id string) item { return item{partKey: str(part), sortKey: str(id)} }

// millis returns a time as it is stored: in milliseconds since 1970. t must be set: a
// time that is not set is stored as no attribute.
func millis(t time.Time) types.AttributeValue { return num(t.UnixMilli()) }

// fromMillis returns a stored time in UTC; the zero time for 0.
func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// toMillis returns a time in milliseconds since 1970; 0 for the zero time.
func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// clientPart returns the partition of the clients of one slice of the directory. It
// holds them in the order of ids.
//
// The table of clients has three more kinds of items: one per phone, which keeps phones
// unique; one per deleted client, so that no id is used again; and one per edited time
// zone.
func clientPart(slice int) string { return fmt.Sprintf("%02d", slice) }

// clientSort returns the sort key of a client: ten digits, so that the order of keys is
// that of ids.
func clientSort(id mailing.ClientID) string { return fmt.Sprintf("%010d", id) }

func clientKey(id mailing.ClientID) item { return key(clientPart(id.Slice()), clientSort(id)) }

// phoneKey returns the key of the item that reserves a phone for its client.
func phoneKey(phone string) item { return key(phonePrefix+phone, "phone") }

const phonePrefix = "phone#"

// goneKey returns the key of the item that stays after a client is deleted.
func goneKey(id mailing.ClientID) item { return key("gone#"+clientPart(id.Slice()), clientSort(id)) }

// mailingsPerPart is how many ids of mailings share a partition. A list reads one
// partition after the other, newest first, so it needs no index.
const mailingsPerPart = 1000

// mailingPart returns the partition of a mailing.
func mailingPart(id mailing.ID) string {
	return fmt.Sprintf("%04d", id/mailingsPerPart)
}

// mailingSort returns the sort key of a mailing: seven digits, so that the order of
// keys is that of ids.
func mailingSort(id mailing.ID) string { return fmt.Sprintf("%07d", id) }

func mailingKey(id mailing.ID) item { return key(mailingPart(id), mailingSort(id)) }

// livePart is the partition that holds a row per mailing that is not finished.
const livePart = "live"

// liveKey returns the key of the row of a mailing that is not finished.
func liveKey(id mailing.ID) item { return key(livePart, mailingSort(id)) }

// totalsKey returns the key of the sums over finished mailings.
func totalsKey() item { return key("totals", "totals") }

// counterKey returns the key of the counter of mailing ids.
func counterKey() item { return key("counter", "mailing") }

// testCounterKey returns the key of the counter of test message ids.
func testCounterKey() item { return key("counter", "test") }

// A slice of a mailing has a partition in the table of batches, with one slice item and
// the batches of the slice. The slice item sorts after the batches.
const (
	sliceSort   = "slice"
	batchPrefix = "batch#"
	// dueIndex lists the pending batches of a partition in the order of their due_at.
	dueIndex = "due"
)

// batchPart returns the partition of a slice of a mailing.
func batchPart(m mailing.ID, slice int) string { return fmt.Sprintf("%d#%02d", m, slice) }

// batchSort returns the sort key of a batch.
func batchSort(id mailing.BatchID) string { return batchPrefix + id.String() }

// sliceKey returns the key of the item with the state of a slice.
func sliceKey(m mailing.ID, slice int) item { return key(batchPart(m, slice), sliceSort) }

func batchKey(k mailing.BatchKey) item {
	return key(batchPart(k.Mailing, k.Slice), batchSort(k.Batch))
}
