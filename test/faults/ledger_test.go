package faults_test

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
	"postrider/test/invariants"
)

// ledger records claims, and hand-overs whose outcome is unknown, as the calls themselves
// show them. It is safe for concurrent use.
type ledger struct {
	mu sync.Mutex
	// ambiguous holds, by message, the number of calls of the sending API whose outcome was
	// ambiguous, or whose answer was lost.
	ambiguous map[mailing.MessageID]int
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
	recipients map[mailing.ClientID]time.Time
	// settled: the holder has settled or released the batch since.
	settled bool
}

func newLedger() *ledger {
	return &ledger{ambiguous: map[mailing.MessageID]int{}, claims: map[mailing.BatchKey][]*claim{}}
}

// ambiguousOutcome records a hand-over whose outcome is unknown.
func (l *ledger) ambiguousOutcome(id mailing.MessageID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ambiguous[id]++
}

// updated records an update that was made: a claim, or the release of a claim.
func (l *ledger) updated(in *dynamodb.UpdateItemInput, out *dynamodb.UpdateItemOutput) {
	key, ok := invariants.BatchKey(in.Key)
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
			holder: textIn(holder), from: instantIn(values[":now"]), lease: instantIn(lease), recipients: pendingIn(out.Attributes["members"]),
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
		if key, ok := invariants.BatchKey(it.Put.Item); ok {
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

func (l *ledger) ambiguousOf(id mailing.MessageID) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ambiguous[id]
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

func textIn(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func instantIn(v types.AttributeValue) time.Time {
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		return time.Time{}
	}
	ms, _ := strconv.ParseInt(n.Value, 10, 64)
	return time.UnixMilli(ms).UTC()
}

// pendingIn returns the pending recipients of a stored batch, each with the instant that
// a retry waits for, the zero time for none.
func pendingIn(v types.AttributeValue) map[mailing.ClientID]time.Time {
	pending := map[mailing.ClientID]time.Time{}
	recipients, _ := invariants.Recipients(v) // the checker reports a batch that cannot be read
	for _, rec := range recipients {
		switch {
		case rec.Status == mailing.Retrying:
			pending[rec.Client] = rec.NotBefore
		case rec.Status.Pending():
			pending[rec.Client] = time.Time{}
		}
	}
	return pending
}
