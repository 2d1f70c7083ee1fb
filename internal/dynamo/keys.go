package dynamo

import (
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// All three tables have the same key: a partition "part" and a sort key "id",
// both strings.
const (
	partKey = "part"
	sortKey = "id"
)

type item = map[string]types.AttributeValue

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func num[N ~int | ~int64 | ~uint32](n N) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(int64(n), 10)}
}

func key(part, id string) item { return item{partKey: str(part), sortKey: str(id)} }

// Times are stored as milliseconds since 1970, a time that is not set as none.
func millis(t time.Time) types.AttributeValue { return num(t.UnixMilli()) }

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Clients: a partition per slice of the audience, in the order of ids; one
// item per phone keeps phones unique; one per deleted id keeps ids from being
// used again.
func clientPart(slice int) string { return fmt.Sprintf("%02d", slice) }

func clientSort(id mailing.ClientID) string { return fmt.Sprintf("%010d", id) }

func clientKey(id mailing.ClientID) item { return key(clientPart(id.Slice()), clientSort(id)) }

func phoneKey(phone string) item { return key(phonePrefix+phone, "phone") }

const phonePrefix = "phone#"

func goneKey(id mailing.ClientID) item { return key("gone#"+clientPart(id.Slice()), clientSort(id)) }

// Mailings: thousands together, so that a list newest first needs no index.
const mailingsPerPart = 1000

func mailingPart(id mailing.MailingID) string {
	return fmt.Sprintf("%04d", id/mailingsPerPart)
}

func mailingSort(id mailing.MailingID) string { return fmt.Sprintf("%07d", id) }

func mailingKey(id mailing.MailingID) item { return key(mailingPart(id), mailingSort(id)) }

// livePart holds a row per mailing that is not finished.
const livePart = "live"

func liveKey(id mailing.MailingID) item { return key(livePart, mailingSort(id)) }

func totalsKey() item { return key("totals", "totals") }

func counterKey() item { return key("counter", "mailing") }

func testCounterKey() item { return key("counter", "test") }

// Batches: a partition per slice of a mailing, with one slice item and its
// batches, which sort behind it.
const (
	sliceSort   = "slice"
	batchPrefix = "batch#"
	// dueIndex lists what is pending in a partition by when it is due.
	dueIndex = "due"
	dueKey   = "due_at"
)

func batchPart(m mailing.MailingID, slice int) string { return fmt.Sprintf("%d#%02d", m, slice) }

func batchSort(id mailing.BatchID) string { return batchPrefix + id.String() }

func sliceKey(m mailing.MailingID, slice int) item { return key(batchPart(m, slice), sliceSort) }

func batchKey(k mailing.BatchKey) item {
	return key(batchPart(k.Mailing, k.Slice), batchSort(k.Batch))
}
