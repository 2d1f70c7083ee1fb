package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

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

// ExtendBatches gives the settled batches of one page of a slice the time to live that
// belongs to the end of m, if their own is earlier. The page begins after the batch
// with the sort key after, "" for the beginning of the slice. next is where to
// continue, "" at the end.
//
// A batch that a sender holds stays as it is, because the sender may settle it by an
// earlier end. held is the number of these batches. A pending batch has no time to
// live; its settlement sets one.
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
		// A batch without due_at is settled. Its time to live is never shortened:
		// readers hide its messages by the present end of the mailing.
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
// begins after the sort key after; "" is the beginning of the slice.
func (s *Store) batchesAfter(ctx context.Context, id mailing.ID, slice int, after string) (walked, error) {
	from := batchPrefix
	if after != "" {
		from = after + " " // sorts directly after that batch
	}
	part, err := s.walk(ctx, walk{
		table: s.tables.Batches, limit: requeueBatches, pages: 1,
		key: batchesBetween, values: between(batchPart(id, slice), from, afterBatches),
	})
	if err != nil {
		return walked{}, fmt.Errorf("read the batches of mailing %d slice %d: %w", id, slice, err)
	}
	return part, nil
}

// extendBatch moves the time to live of one settled batch. It does nothing if the batch
// has changed since it was read. Then the batch is pending, or has a new time to live
// already.
func (s *Store) extendBatch(ctx context.Context, m mailing.Mailing, slice int, seen keptItem) error {
	_, err := s.update(ctx, update{
		table: s.tables.Batches, key: key(batchPart(m.ID, slice), seen.Sort), change: "SET #ttl = :ttl",
		condition: "#ttl = :seen AND attribute_not_exists(#due_at)",
		values:    item{":seen": num(seen.TTL), ":ttl": num(s.expiry(m))},
	}, "keep batch %s of mailing %d slice %d longer", seen.Sort, m.ID, slice)
	return err
}

// MarkExtended notes that the settled batches of a slice are kept by the end that m got
// at its ExtendedAt. After that, pages that were planned by an earlier end are refused.
//
// It reports false, and writes nothing, if a page has been written since state was
// read, or if the slice is marked already for the same ExtendedAt or a later one. state
// must be read before the batches of the slice. A page that is written after state was
// read may hold settled batches that were not looked at.
func (s *Store) MarkExtended(ctx context.Context, m mailing.Mailing, slice int, state mailing.SliceState) (bool, error) {
	return s.update(ctx, update{
		table: s.tables.Batches, key: sliceKey(m.ID, slice), change: "SET #extended_at = :at",
		condition: "(attribute_not_exists(#extended_at) OR #extended_at < :at)" +
			" AND (attribute_not_exists(#cursor) OR #cursor = :cursor)",
		values: item{":at": millis(m.ExtendedAt), ":cursor": num(state.Cursor)},
	}, "mark slice %d of mailing %d as kept longer", slice, m.ID)
}
