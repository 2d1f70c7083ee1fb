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

// claimable is the condition that something is pending, no lease is live, and
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
// lease is live, or it is not time yet: then the batch is returned as it is, the
// zero batch if there is none. holder must differ for each claim.
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
		// The SDK may have repeated a call whose answer was lost: then the
		// holder that stands in the way is this very one.
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

// Unclaim takes a claim back under which nothing was handed over, of a batch
// without lost claims: the batch is due at an instant. It reports false if the
// lease was lost.
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

// update makes one conditional update of a batch, and reports whether its
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
// returned as lost. After an error the same call may be repeated: its
// transaction's token comes from its content, so it is made once.
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

// settlementToken returns a token that the same settlements always have, and no
// others: DynamoDB takes up to 36 characters.
func settlementToken(settlements []mailing.Settlement) string {
	hash := sha256.New()
	for _, one := range settlements {
		fmt.Fprintf(hash, "%s %s %+v %+v\n", one.Batch.Key, one.Holder, one.Batch, one.Change)
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}
