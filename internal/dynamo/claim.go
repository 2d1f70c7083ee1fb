package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// claimable is the condition that something is pending, nobody holds it, and
// it is time.
const claimable = "attribute_exists(#due)" +
	" AND (attribute_not_exists(#lease) OR #lease <= :now)" +
	" AND (attribute_not_exists(#from) OR #from <= :now)"

// claimableNames are what [claimable] calls attributes.
func claimableNames() map[string]string {
	return map[string]string{"#due": dueKey, "#lease": "lease_until", "#from": "not_before"}
}

// Claim makes holder the only one that may change a batch until lease, and
// returns the batch. It is refused (ok is false) if nothing is pending, another
// lease is live, or it is not time yet. holder must differ for each claim.
func (s *Store) Claim(ctx context.Context, k mailing.BatchKey, holder string, now, lease time.Time) (b mailing.Batch, ok bool, err error) {
	out, err := s.api.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.tables.Batches, Key: batchKey(k),
		ConditionExpression: aws.String(claimable),
		UpdateExpression:    aws.String("SET #holder = :holder, #lease = :lease, #due = :lease ADD #claims :one REMOVE #sweeps"),
		ExpressionAttributeNames: map[string]string{
			"#due": dueKey, "#lease": "lease_until", "#from": "not_before", "#holder": "holder", "#claims": "claims", "#sweeps": "sweeps",
		},
		ExpressionAttributeValues:           item{":now": millis(now), ":holder": str(holder), ":lease": millis(lease), ":one": num(1)},
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var it item
	var condition *types.ConditionalCheckFailedException
	switch {
	case err == nil:
		it = out.Attributes
	case errors.As(err, &condition):
		// The SDK may have repeated a call whose answer was lost: then the
		// holder that stands in the way is this very one.
		if !heldBy(condition.Item, holder) {
			return mailing.Batch{}, false, nil
		}
		it = condition.Item
	default:
		return mailing.Batch{}, false, fmt.Errorf("claim batch %s: %w", k, err)
	}
	b, err = decodeBatch(it)
	return b, err == nil, err
}

// Park puts a batch off until an instant without claiming it, in one write. It
// tells false where somebody holds it, or it waits already, or is done: then
// there is nothing to be put off.
func (s *Store) Park(ctx context.Context, k mailing.BatchKey, now, until time.Time) (bool, error) {
	names := claimableNames()
	names["#sweeps"] = "sweeps"
	return s.update(ctx, "park", k, &dynamodb.UpdateItemInput{
		ConditionExpression:       aws.String(claimable),
		UpdateExpression:          aws.String("SET #from = :until, #due = :until REMOVE #sweeps"),
		ExpressionAttributeNames:  names,
		ExpressionAttributeValues: item{":now": millis(now), ":until": millis(until)},
	})
}

// Unclaim takes a claim back whose holder has done nothing by it, as if it had
// never been: the batch is due at an instant, and whoever claims it next finds
// the claims that were left unsettled before. It tells false if the lease was
// lost.
func (s *Store) Unclaim(ctx context.Context, k mailing.BatchKey, holder string, due time.Time) (bool, error) {
	return s.update(ctx, "take back the claim of", k, &dynamodb.UpdateItemInput{
		ConditionExpression:       aws.String("#holder = :holder"),
		UpdateExpression:          aws.String("SET #due = :due, #from = :due ADD #claims :less REMOVE #holder, #lease"),
		ExpressionAttributeNames:  map[string]string{"#due": dueKey, "#from": "not_before", "#claims": "claims", "#holder": "holder", "#lease": "lease_until"},
		ExpressionAttributeValues: item{":holder": str(holder), ":due": millis(due), ":less": num(-1)},
	})
}

// update makes one conditional update of a batch, and tells whether its
// condition was met.
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

func heldBy(it item, holder string) bool {
	var stored string
	return attributevalue.Unmarshal(it["holder"], &stored) == nil && stored == holder
}

// Settle writes the batches of one slice of a mailing as their holder leaves
// them, and the slice's counts by how much they changed, in one transaction.
// Batches that have another holder by now are left as they are: they are
// returned as lost.
func (s *Store) Settle(ctx context.Context, m mailing.Mailing, slice int, settlements []mailing.Settlement) (lost []mailing.BatchKey, err error) {
	rest := settlements
	for len(rest) > 0 {
		items, err := s.settleItems(m, slice, rest)
		if err != nil {
			return lost, err
		}
		what := fmt.Sprintf("settle %d batches of mailing %d slice %d", len(rest), m.ID, slice)
		err = s.transact(ctx, what, items)
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
		if len(kept) == len(rest) {
			return lost, fmt.Errorf("%s: %w", what, err)
		}
		rest = kept
	}
	return lost, nil
}

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
			ConditionExpression:       aws.String("#holder = :holder"),
			ExpressionAttributeNames:  map[string]string{"#holder": "holder"},
			ExpressionAttributeValues: item{":holder": str(settlement.Holder)},
		}})
		change = change.Plus(settlement.Change)
	}
	items = append(items, s.countsChange(m.ID, slice, change)...)
	return items, nil
}
