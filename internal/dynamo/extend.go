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

// extendedAttr is the mailing's extended_at by which a slice's batches are kept.
const extendedAttr = "extended_at"

// keptItem is what is read of a batch to say how long it is kept.
type keptItem struct {
	Sort       string `dynamodbav:"id"`
	LeaseUntil int64  `dynamodbav:"lease_until"`
	DueAt      int64  `dynamodbav:"due_at"`
	TTL        int64  `dynamodbav:"ttl"`
}

// expiry is when DynamoDB may remove what is settled of m, in seconds since 1970.
func (s *Store) expiry(m mailing.Mailing) int64 { return m.EndAt.Add(s.retention).Unix() }

// ExtendBatches moves the time to live of some settled batches of a slice to that of
// m's end, where theirs is earlier. It begins after the batch after, "" for the
// beginning of the slice; next is where to go on, "" at the end. Batches that a
// sender holds are left as they are, since the sender may settle them by an earlier
// end: held is how many. What is pending has no time to live, and gets one when it is
// settled.
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

// batchesAfter reads some batches of a slice in storage order, strongly consistent,
// after the one whose sort key is after, "" for the beginning.
func (s *Store) batchesAfter(ctx context.Context, id mailing.MailingID, slice int, after string) (walked, error) {
	from := batchPrefix
	if after != "" {
		from = after + " " // sorts right after it
	}
	part, err := s.walk(ctx, walk{
		table: s.tables.Batches, limit: reviveBatches, pages: 1,
		key: batchesBetween(batchPart(id, slice), from, batchPrefix+"~"),
	})
	if err != nil {
		return walked{}, fmt.Errorf("read the batches of mailing %d slice %d: %w", id, slice, err)
	}
	return part, nil
}

// extendBatch moves the time to live of one settled batch. It does nothing if the
// batch has changed since it was read: then it is pending, or was moved already.
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

// MarkExtended notes that the settled batches of a slice are kept by the end that m
// was given at its ExtendedAt. It does nothing if pages have been written since the
// slice was in state, which is as it was before its batches were looked at, or a
// later end is noted already. Pages that are planned by an earlier end are refused
// from then on.
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
