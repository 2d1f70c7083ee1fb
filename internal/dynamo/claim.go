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

// Claim makes holder the only one that may change a batch until lease, and
// returns the batch. It is refused (ok is false) if nothing is pending, another
// lease is live, or it is not time yet. holder must differ for each claim.
func (s *Store) Claim(ctx context.Context, k mailing.BatchKey, holder string, now, lease time.Time) (b mailing.Batch, ok bool, err error) {
	out, err := s.api.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.tables.Batches, Key: batchKey(k),
		ConditionExpression: aws.String("attribute_exists(#due)" +
			" AND (attribute_not_exists(#lease) OR #lease <= :now)" +
			" AND (attribute_not_exists(#from) OR #from <= :now)"),
		UpdateExpression: aws.String("SET #holder = :holder, #lease = :lease, #due = :lease ADD #claims :one REMOVE #sweeps"),
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
		gone := make(map[int]bool, len(actions))
		for _, i := range actions {
			gone[i] = true
		}
		var kept []mailing.Settlement
		for i, settlement := range rest {
			if gone[i] {
				lost = append(lost, settlement.Batch.Key)
			} else {
				kept = append(kept, settlement)
			}
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
	a := newAdder()
	a.addCounts("", change)
	if a.expression() != "" {
		items = append(items, types.TransactWriteItem{Update: &types.Update{
			TableName: &s.tables.Batches, Key: sliceKey(m.ID, slice), UpdateExpression: aws.String(a.expression()),
			ExpressionAttributeNames: a.names, ExpressionAttributeValues: a.values,
		}})
	}
	return items, nil
}
