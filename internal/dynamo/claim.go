package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// claimable is the condition that a batch may be claimed: it is pending, no lease is
// live, and its not_before has come. A batch without not_before may be claimed at once.
const claimable = "attribute_exists(#due_at)" +
	" AND (attribute_not_exists(#lease_until) OR #lease_until <= :now)" +
	" AND (attribute_not_exists(#not_before) OR #not_before <= :now)"

// Claim makes holder the only sender that may change a batch, until the instant lease,
// and returns the batch. ok is false if the batch is not pending, has a live lease, or
// has a later not_before than now. Then Claim returns the batch as it is stored, or the
// zero batch if there is none.
//
// holder must differ for each claim. first_from and first_until hold the lease of the
// first claim since the last settlement. If this claim is lost, they show when its
// sender may have handed messages over. due_at becomes the end of the lease, so that a
// sweep finds a batch whose holder was killed.
func (s *Store) Claim(ctx context.Context, k mailing.BatchKey, holder string, now, lease time.Time) (b mailing.Batch, ok bool, err error) {
	in := update{
		table: s.tables.Batches, key: batchKey(k), condition: claimable,
		change: "SET #holder = :holder, #lease_until = :lease, #due_at = :lease," +
			" #first_from = if_not_exists(#first_from, :now), #first_until = if_not_exists(#first_until, :lease)" +
			" ADD #claims :one REMOVE #sweeps",
		values: item{":now": millis(now), ":holder": str(holder), ":lease": millis(lease), ":one": num(1)},
	}.input()
	in.ReturnValues = types.ReturnValueAllNew
	in.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	out, err := s.api.UpdateItem(ctx, in)
	var it item
	var condition *types.ConditionalCheckFailedException
	switch {
	case err == nil:
		it, ok = out.Attributes, true
	case errors.As(err, &condition):
		// The SDK may have repeated a call whose answer was lost. Then the call is
		// refused because of the lease that its first try has taken.
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
// due, and may be claimed, at the instant due. Unclaim reports false, and writes
// nothing, if another sender has claimed the batch.
//
// It also does so if the batch has lost claims. Taking back the claim would remove the
// lease of the first of them, which their recovery needs.
func (s *Store) Unclaim(ctx context.Context, k mailing.BatchKey, holder string, due time.Time) (bool, error) {
	return s.update(ctx, update{
		table: s.tables.Batches, key: batchKey(k), condition: "#holder = :holder AND #claims = :one",
		change: "SET #due_at = :due, #not_before = :due REMOVE #holder, #lease_until, #claims, #first_from, #first_until",
		values: item{":holder": str(holder), ":due": millis(due), ":one": num(1)},
	}, "take back the claim of batch %s", k)
}

// Replan writes a batch whose messages are planned again: the batch may then be claimed
// at once. Replan reports false, and writes nothing, if a sender holds the batch, if no
// message is pending, or if the recipients are not those of seen.
//
// A batch whose lease has ended without a settlement is not written, either. The next
// sender that claims it plans its deferred messages again.
func (s *Store) Replan(ctx context.Context, seen, replanned mailing.Batch) (bool, error) {
	before, err := encodeRecipients(seen.Recipients)
	if err != nil {
		return false, fmt.Errorf("encode the recipients of batch %s: %w", seen.Key, err)
	}
	after, err := encodeRecipients(replanned.Recipients)
	if err != nil {
		return false, fmt.Errorf("encode the recipients of batch %s: %w", seen.Key, err)
	}
	return s.update(ctx, update{
		table: s.tables.Batches, key: batchKey(seen.Key),
		change:    "SET #members = :members, #due_at = :due REMOVE #not_before, #sweeps",
		condition: "attribute_exists(#due_at) AND attribute_not_exists(#lease_until) AND #members = :seen",
		values:    item{":seen": str(before), ":members": str(after), ":due": millis(replanned.DueAt)},
	}, "plan batch %s again", seen.Key)
}

// heldBy reports whether holder holds the batch that is stored as it.
func heldBy(it item, holder string) bool {
	var stored string
	return attributevalue.Unmarshal(it["holder"], &stored) == nil && stored == holder
}
