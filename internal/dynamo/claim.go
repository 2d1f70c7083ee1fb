package dynamo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// claimable is the condition that a batch may be claimed: it is pending, no lease is
// live, and its not_before has come. A batch without not_before may be claimed at once.
const claimable = "attribute_exists(#due)" +
	" AND (attribute_not_exists(#lease) OR #lease <= :now)" +
	" AND (attribute_not_exists(#from) OR #from <= :now)"

// claimableNames returns the names of the attributes in [claimable].
func claimableNames() map[string]string {
	return map[string]string{"#due": dueKey, "#lease": "lease_until", "#from": "not_before"}
}

// Claim makes holder the only sender that may change a batch until lease, and returns
// the batch. ok is false if the batch is not pending, another lease is live, or its
// not_before has not come. Then Claim returns the batch as it is, or the zero batch if
// there is none.
//
// holder must differ for each claim. first_from and first_until keep the lease of the
// first claim since the last settlement. If that claim is lost, they show when its
// sender may have handed messages over. due_at becomes the end of the lease, so that a
// sweep finds a batch whose holder was killed.
func (s *Store) Claim(ctx context.Context, k mailing.BatchKey, holder string, now, lease time.Time) (b mailing.Batch, ok bool, err error) {
	out, err := s.api.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.tables.Batches, Key: batchKey(k),
		ConditionExpression: aws.String(claimable),
		UpdateExpression: aws.String("SET #holder = :holder, #lease = :lease, #due = :lease," +
			" #first_from = if_not_exists(#first_from, :now), #first_until = if_not_exists(#first_until, :lease)" +
			" ADD #claims :one REMOVE #sweeps"),
		ExpressionAttributeNames: map[string]string{
			"#due": dueKey, "#lease": "lease_until", "#from": "not_before", "#holder": "holder", "#claims": "claims", "#sweeps": "sweeps",
			"#first_from": "first_from", "#first_until": "first_until",
		},
		ExpressionAttributeValues:           item{":now": millis(now), ":holder": str(holder), ":lease": millis(lease), ":one": num(1)},
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var it item
	var condition *types.ConditionalCheckFailedException
	switch {
	case err == nil:
		it, ok = out.Attributes, true
	case errors.As(err, &condition):
		// The SDK may have repeated a call whose answer was lost. Then the lease that
		// refuses the call is the one of this claim.
		it, ok = condition.Item, heldBy(condition.Item, holder)
		if it == nil {
			return mailing.Batch{}, false, nil
		}
	default:
		return mailing.Batch{}, false, fmt.Errorf("claim batch %s: %w", k, err)
	}
	b, err = decodeBatch(it)
	return b, ok && err == nil, err
}

// Unclaim takes back a claim under which no message was handed over. The batch is then
// due, and may be claimed, at the given instant. It reports false, and writes nothing,
// if the lease was lost.
//
// It also refuses a batch with lost claims, because it removes the record of the first
// lease.
func (s *Store) Unclaim(ctx context.Context, k mailing.BatchKey, holder string, due time.Time) (bool, error) {
	return s.update(ctx, "take back the claim of", k, &dynamodb.UpdateItemInput{
		ConditionExpression: aws.String("#holder = :holder AND #claims = :one"),
		UpdateExpression:    aws.String("SET #due = :due, #from = :due REMOVE #holder, #lease, #claims, #first_from, #first_until"),
		ExpressionAttributeNames: map[string]string{
			"#due": dueKey, "#from": "not_before", "#claims": "claims", "#holder": "holder", "#lease": "lease_until",
			"#first_from": "first_from", "#first_until": "first_until",
		},
		ExpressionAttributeValues: item{":holder": str(holder), ":due": millis(due), ":one": num(1)},
	})
}

// update makes one conditional update of a batch. It reports whether the condition was
// met. what begins the text of an error.
func (s *Store) update(ctx context.Context, what string, k mailing.BatchKey, in *dynamodb.UpdateItemInput) (bool, error) {
	in.TableName, in.Key = &s.tables.Batches, batchKey(k)
	_, err := s.api.UpdateItem(ctx, in)
	if _, ok := refused(err); ok {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s batch %s: %w", what, k, err)
	}
	return true, nil
}

// heldBy reports whether holder holds the batch that is stored as it.
func heldBy(it item, holder string) bool {
	var stored string
	return attributevalue.Unmarshal(it["holder"], &stored) == nil && stored == holder
}

// Settle writes the batches of one slice of a mailing as their holders leave them, and
// changes the counts of the slice accordingly, in one transaction. So the counts always
// match the messages.
//
// A batch that has another holder by now is left as it is, and returned as lost; the
// transaction is repeated without it. After an error the same call may be repeated: the
// token of a transaction comes from its content, so it is written once.
func (s *Store) Settle(ctx context.Context, m mailing.Mailing, slice int, settlements []mailing.Settlement) (lost []mailing.BatchKey, err error) {
	rest := settlements
	for len(rest) > 0 {
		items, err := s.settleItems(m, slice, rest)
		if err != nil {
			return lost, err
		}
		what := fmt.Sprintf("settle %d batches of mailing %d slice %d", len(rest), m.ID, slice)
		err = s.transactAs(ctx, settlementToken(rest), what, items)
		if err == nil {
			return lost, nil
		}
		actions, ok := refused(err)
		if !ok {
			return lost, fmt.Errorf("%s: %w", what, err)
		}
		kept, left := without(rest, actions)
		for _, settlement := range left {
			lost = append(lost, settlement.Batch.Key)
		}
		// Without this check a refusal that names no batch would be repeated forever.
		if len(kept) == len(rest) {
			return lost, fmt.Errorf("%s: %w", what, err)
		}
		rest = kept
	}
	return lost, nil
}

// settleItems returns the writes of a settlement: one per batch, in the order of
// settlements, so that the index of a refused action is that of its batch; then the one
// of the counts.
func (s *Store) settleItems(m mailing.Mailing, slice int, settlements []mailing.Settlement) ([]types.TransactWriteItem, error) {
	items := make([]types.TransactWriteItem, 0, len(settlements)+1)
	var change mailing.Counts
	for _, settlement := range settlements {
		it, err := s.encodeBatch(settlement.Batch, m)
		if err != nil {
			return nil, err
		}
		items = append(items, types.TransactWriteItem{Put: &types.Put{
			TableName: &s.tables.Batches, Item: it,
			// The put replaces the whole item. So it must not happen after another
			// sender has claimed the batch.
			ConditionExpression:       aws.String("#holder = :holder"),
			ExpressionAttributeNames:  map[string]string{"#holder": "holder"},
			ExpressionAttributeValues: item{":holder": str(settlement.Holder)},
		}})
		change = change.Plus(settlement.Change)
	}
	items = append(items, s.countsChange(m.ID, slice, change)...)
	return items, nil
}

// settlementToken returns a ClientRequestToken: the same for the same settlements, and
// a different one for any others. It has 32 characters; DynamoDB accepts up to 36.
func settlementToken(settlements []mailing.Settlement) string {
	hash := sha256.New()
	for _, one := range settlements {
		fmt.Fprintf(hash, "%s %s %+v %+v\n", one.Batch.Key, one.Holder, one.Batch, one.Change)
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}
