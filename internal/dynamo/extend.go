package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

// extendedAttr is the attribute of a slice that holds an extended_at of its mailing:
// the settled batches of the slice are kept by the end that was set then.
const extendedAttr = "extended_at"

// keptItem holds the attributes of a batch that decide how long it is kept.
type keptItem struct {
	Sort       string `dynamodbav:"id"`
	LeaseUntil int64  `dynamodbav:"lease_until"`
	DueAt      int64  `dynamodbav:"due_at"`
	TTL        int64  `dynamodbav:"ttl"`
}

// expiry returns when DynamoDB may remove the settled batches of m, in seconds since
// 1970.
func (s *Store) expiry(m mailing.Mailing) int64 { return m.EndAt.Add(s.retention).Unix() }

// ExtendBatches moves the time to live of some settled batches of a slice to that of
// the end of m, where theirs is earlier. It begins after the batch with the sort key
// after, "" for the beginning of the slice. next is where to continue, "" at the end.
//
// A batch that a sender holds is left as it is, because the sender may settle it by an
// earlier end; held is the number of these. A pending batch has no time to live, and
// gets one when it is settled.
func (s *Store) ExtendBatches(ctx context.Context, m mailing.Mailing, slice int, after string) (next string, held int, err error) {
	part, err := s.batchesAfter(ctx, m.ID, slice, after)
	if err != nil {
		return "", 0, err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(readConcurrency)
	for _, encoded := range part.items {
		var it keptItem
		if err := attributevalue.UnmarshalMap(encoded, &it); err != nil {
			return "", 0, fmt.Errorf("decode how long a batch of mailing %d slice %d is kept: %w", m.ID, slice, err)
		}
		switch {
		case it.LeaseUntil > s.now().UnixMilli():
			held++
		// A batch without due_at is settled. Its time to live is never shortened: an
		// earlier end hides its messages without that.
		case it.DueAt == 0 && it.TTL < s.expiry(m):
			group.Go(func() error { return s.extendBatch(groupCtx, m, slice, it) })
		}
	}
	if err := group.Wait(); err != nil {
		return "", 0, err
	}
	if !part.end {
		next = part.last
	}
	return next, held, nil
}

// batchesAfter reads some batches of a slice in storage order, strongly consistent. It
// begins after the sort key after, "" for the beginning.
func (s *Store) batchesAfter(ctx context.Context, id mailing.ID, slice int, after string) (walked, error) {
	from := batchPrefix
	if after != "" {
		from = after + " " // sorts directly after that batch
	}
	part, err := s.walk(ctx, walk{
		table: s.tables.Batches, limit: requeueBatches, pages: 1,
		key: batchesBetween(batchPart(id, slice), from, batchPrefix+"~"),
	})
	if err != nil {
		return walked{}, fmt.Errorf("read the batches of mailing %d slice %d: %w", id, slice, err)
	}
	return part, nil
}

// extendBatch moves the time to live of one settled batch. It does nothing if the batch
// has changed since it was read: then it is pending, or has a new time to live already.
func (s *Store) extendBatch(ctx context.Context, m mailing.Mailing, slice int, seen keptItem) error {
	_, err := s.api.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.tables.Batches, Key: key(batchPart(m.ID, slice), seen.Sort),
		ConditionExpression:       aws.String("#ttl = :seen AND attribute_not_exists(#pending)"),
		UpdateExpression:          aws.String("SET #ttl = :ttl"),
		ExpressionAttributeNames:  map[string]string{"#ttl": ttlAttr, "#pending": dueKey},
		ExpressionAttributeValues: item{":seen": num(seen.TTL), ":ttl": num(s.expiry(m))},
	})
	if _, ok := refused(err); ok {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep batch %s of mailing %d slice %d longer: %w", seen.Sort, m.ID, slice, err)
	}
	return nil
}

// MarkExtended notes that the settled batches of a slice are kept by the end that m was
// given at its ExtendedAt. From then on, pages that were planned by an earlier end are
// refused.
//
// It reports false, and writes nothing, if pages have been written since the slice was
// in state, or if a later end is noted already. state must have been read before the
// batches of the slice were: a page that was written after that may hold settled
// batches that were not looked at.
func (s *Store) MarkExtended(ctx context.Context, m mailing.Mailing, slice int, state mailing.SliceState) (bool, error) {
	_, err := s.api.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.tables.Batches, Key: sliceKey(m.ID, slice),
		ConditionExpression: aws.String("(attribute_not_exists(#extended) OR #extended < :at)" +
			" AND (attribute_not_exists(#cursor) OR #cursor = :cursor)"),
		UpdateExpression:          aws.String("SET #extended = :at"),
		ExpressionAttributeNames:  map[string]string{"#extended": extendedAttr, "#cursor": "cursor"},
		ExpressionAttributeValues: item{":at": millis(m.ExtendedAt), ":cursor": num(state.Cursor)},
	})
	if _, ok := refused(err); ok {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("mark slice %d of mailing %d as kept longer: %w", slice, m.ID, err)
	}
	return true, nil
}
