package faults_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// ledger records claims, and hand-overs whose outcome is unknown, as the calls themselves
// show them. It is safe for concurrent use.
type ledger struct {
	mu sync.Mutex
	// doubts holds, by message, the number of calls of the sending API whose outcome was
	// ambiguous, or whose answer was lost.
	doubts map[mailing.MessageID]int
	// claims holds, by batch, the claims that were made, in order.
	claims map[mailing.BatchKey][]*claim
}

// claim is one claim of a batch.
type claim struct {
	holder string
	// from is the instant of the claim by the sender's clock; lease is the instant at
	// which it ends.
	from, lease time.Time
	// recipients are the recipients that were pending then, with the instant from which each
	// might be tried.
	members map[mailing.ClientID]time.Time
	// settled: the holder has settled or released the batch since.
	settled bool
}

func newLedger() *ledger {
	return &ledger{doubts: map[mailing.MessageID]int{}, claims: map[mailing.BatchKey][]*claim{}}
}

// doubted records a hand-over whose outcome is unknown.
func (l *ledger) doubted(id mailing.MessageID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doubts[id]++
}

// updated records an update that was made: a claim, or the release of a claim.
func (l *ledger) updated(in *dynamodb.UpdateItemInput, out *dynamodb.UpdateItemOutput) {
	key, ok := batchAt(in.Key)
	if !ok {
		return
	}
	names, values := in.ExpressionAttributeNames, in.ExpressionAttributeValues
	holder := compared(in.UpdateExpression, names, values, "holder")
	lease := compared(in.UpdateExpression, names, values, "lease_until")
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case holder != nil && lease != nil:
		l.claims[key] = append(l.claims[key], &claim{
			holder: textIn(holder), from: instantIn(values[":now"]), lease: instantIn(lease), members: pendingIn(out.Attributes["members"]),
		})
	default:
		l.settle(key, compared(in.ConditionExpression, names, values, "holder"))
	}
}

// written records a transaction that was made: it settles batches.
func (l *ledger) written(in *dynamodb.TransactWriteItemsInput) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, it := range in.TransactItems {
		if it.Put == nil {
			continue
		}
		if key, ok := batchAt(it.Put.Item); ok {
			l.settle(key, compared(it.Put.ConditionExpression, it.Put.ExpressionAttributeNames, it.Put.ExpressionAttributeValues, "holder"))
		}
	}
}

// settle marks the last open claim of a holder as settled. It does nothing if holder is
// nil.
func (l *ledger) settle(key mailing.BatchKey, holder types.AttributeValue) {
	if holder == nil {
		return
	}
	for _, c := range slices.Backward(l.claims[key]) {
		if c.holder == textIn(holder) && !c.settled {
			c.settled = true
			return
		}
	}
}

// lost returns the claims of a batch that were never settled, as runs of consecutive
// claims: a settled claim ends a run. The last claim is in no run, because no later claim
// could have counted it.
func (l *ledger) lost(key mailing.BatchKey) (runs [][]*claim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	claims := l.claims[key]
	divided := true
	for _, c := range claims[:max(0, len(claims)-1)] {
		switch {
		case c.settled:
			divided = true
		case divided:
			runs, divided = append(runs, []*claim{c}), false
		default:
			runs[len(runs)-1] = append(runs[len(runs)-1], c)
		}
	}
	return runs
}

func (l *ledger) doubtsOf(id mailing.MessageID) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.doubts[id]
}

// compared returns the value that an expression sets an attribute to, or compares it
// with; nil if it does neither.
func compared(expression *string, names map[string]string, values map[string]types.AttributeValue, attribute string) types.AttributeValue {
	for name, of := range names {
		if of != attribute {
			continue
		}
		if _, rest, ok := strings.Cut(aws.ToString(expression), name+" = "); ok {
			place, _, _ := strings.Cut(rest, " ")
			return values[strings.TrimRight(place, ",)")]
		}
	}
	return nil
}

// batchAt returns the key of the batch that an item, or its key, belongs to.
func batchAt(it map[string]types.AttributeValue) (k mailing.BatchKey, ok bool) {
	id, isBatch := strings.CutPrefix(textIn(it["id"]), "batch#")
	if !isBatch {
		return k, false
	}
	n, _ := fmt.Sscanf(textIn(it["part"])+" "+id, "%d#%d %d#%d", &k.Mailing, &k.Slice, &k.Batch.First, &k.Batch.N)
	return k, n == 4
}

func textIn(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func numberIn(v types.AttributeValue) int64 {
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	number, _ := strconv.ParseInt(n.Value, 10, 64)
	return number
}

func instantIn(v types.AttributeValue) time.Time { return instant(numberIn(v)) }

// instant returns a stored time, the zero time for 0.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// batchIn returns a stored batch, with the fields that the checks need.
func batchIn(k mailing.BatchKey, it map[string]types.AttributeValue) mailing.Batch {
	return mailing.Batch{
		Key: k, Recipients: recipientsIn(it["members"]), Holder: textIn(it["holder"]), Claims: int(numberIn(it["claims"])), DueAt: instantIn(it["due_at"]),
	}
}

// statuses maps the stored letters to statuses.
var statuses = map[string]mailing.MessageStatus{
	"q": mailing.Queued, "r": mailing.Retrying, "d": mailing.Deferred, "s": mailing.Sent, "f": mailing.Failed,
	"x": mailing.Expired, "c": mailing.Cancelled, "k": mailing.Skipped, "u": mailing.Uncertain,
}

// recipientsIn returns the recipients of a stored batch, none if they cannot be read.
func recipientsIn(v types.AttributeValue) []mailing.Recipient {
	var stored []struct {
		Client    mailing.ClientID `json:"c"`
		Status    string           `json:"s"`
		Attempts  int              `json:"a"`
		Uncertain int              `json:"u"`
		At        int64            `json:"t"`
		Error     string           `json:"e"`
		NotBefore int64            `json:"n"`
	}
	if json.Unmarshal([]byte(textIn(v)), &stored) != nil {
		return nil
	}
	recipients := make([]mailing.Recipient, len(stored))
	for i, mem := range stored {
		recipients[i] = mailing.Recipient{
			Client: mem.Client, Status: statuses[mem.Status], Attempts: mem.Attempts, Uncertain: mem.Uncertain,
			At: instant(mem.At), Error: mem.Error, NotBefore: instant(mem.NotBefore),
		}
	}
	return recipients
}

// pendingIn returns the pending recipients of a stored batch, each with the instant that
// a retry waits for, the zero time for none.
func pendingIn(v types.AttributeValue) map[mailing.ClientID]time.Time {
	pending := map[mailing.ClientID]time.Time{}
	for _, rec := range recipientsIn(v) {
		switch {
		case rec.Status == mailing.Retrying:
			pending[rec.Client] = rec.NotBefore
		case rec.Status.Pending():
			pending[rec.Client] = time.Time{}
		}
	}
	return pending
}
