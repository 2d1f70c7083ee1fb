package invariants

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// AddRow adds a row of the batches table to the mailing that it belongs to. It leaves out
// rows of other mailings, and rows that hold neither a batch nor the state of a slice. It
// reads rows without the code of the service, which is under test.
func (r Records) AddRow(row map[string]types.AttributeValue) error {
	key, isBatch := BatchKey(row)
	if !isBatch {
		r.addSlice(row)
		return nil
	}
	m := r.Mailings[key.Mailing]
	if m == nil {
		return nil
	}
	recipients, err := Recipients(row["members"])
	if err != nil {
		return fmt.Errorf("read the recipients of batch %s: %w", key, err)
	}
	m.Batches = append(m.Batches, Batch{TTL: number(row["ttl"]), Batch: mailing.Batch{
		Key: key, Recipients: recipients, Generation: number(row["plan"]), Claims: int(number(row["claims"])),
		Holder: text(row["holder"]), LeaseUntil: instant(number(row["lease_until"])),
		NotBefore: instant(number(row["not_before"])), DueAt: instant(number(row["due_at"])),
	}})
	return nil
}

// addSlice adds a row that holds the state of a slice.
func (r Records) addSlice(row map[string]types.AttributeValue) {
	var id mailing.ID
	var slice int
	if n, _ := fmt.Sscanf(text(row["part"]), "%d#%d", &id, &slice); n != 2 || text(row["id"]) != "slice" || r.Mailings[id] == nil {
		return
	}
	state := &r.Mailings[id].Slices[slice]
	done, ok := row["done"].(*types.AttributeValueMemberBOOL)
	state.Done = ok && done.Value
	for _, status := range mailing.MessageStatuses {
		state.Counts.Count(status, number(row[string(status)]))
	}
}

// BatchKey returns the key of the batch that a row, or the key of a row, belongs to.
func BatchKey(row map[string]types.AttributeValue) (k mailing.BatchKey, ok bool) {
	id, isBatch := strings.CutPrefix(text(row["id"]), "batch#")
	if !isBatch {
		return k, false
	}
	n, _ := fmt.Sscanf(text(row["part"])+" "+id, "%d#%d %d#%d", &k.Mailing, &k.Slice, &k.Batch.First, &k.Batch.N)
	return k, n == 4
}

// statuses holds the status of each stored letter.
var statuses = map[string]mailing.MessageStatus{ //nolint:gochecknoglobals // read-only
	"q": mailing.Queued, "r": mailing.Retrying, "d": mailing.Deferred, "s": mailing.Sent, "f": mailing.Failed,
	"x": mailing.Expired, "c": mailing.Cancelled, "k": mailing.Skipped, "u": mailing.Uncertain,
}

// Recipients returns the recipients of a stored batch.
func Recipients(members types.AttributeValue) ([]mailing.Recipient, error) {
	var stored []struct {
		Client    mailing.ClientID `json:"c"`
		Status    string           `json:"s"`
		Attempts  int              `json:"a"`
		Uncertain int              `json:"u"`
		At        int64            `json:"t"`
		Error     string           `json:"e"`
		NotBefore int64            `json:"n"`
	}
	if err := json.Unmarshal([]byte(text(members)), &stored); err != nil {
		return nil, err
	}
	recipients := make([]mailing.Recipient, len(stored))
	for i, rec := range stored {
		recipients[i] = mailing.Recipient{
			Client: rec.Client, Status: statuses[rec.Status], Attempts: rec.Attempts, Uncertain: rec.Uncertain,
			At: instant(rec.At), Error: rec.Error, NotBefore: instant(rec.NotBefore),
		}
	}
	return recipients, nil
}

func text(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func number(v types.AttributeValue) int64 {
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	value, _ := strconv.ParseInt(n.Value, 10, 64)
	return value
}

// instant returns a stored time, the zero time for 0.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
