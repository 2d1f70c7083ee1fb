package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// sliceItem is the state of a slice of a mailing as it is read: how far the expansion
// has come, and the counts of its messages.
type sliceItem struct {
	Part   string           `dynamodbav:"part"`
	Cursor mailing.ClientID `dynamodbav:"cursor"`
	Done   bool             `dynamodbav:"done"`
	// RetriedAt is the retried_at of the mailing whose failures were queued again.
	RetriedAt int64 `dynamodbav:"retried_at"`
	// ExtendedAt is the extended_at of the mailing by which the settled batches are
	// kept.
	ExtendedAt int64 `dynamodbav:"extended_at"`
	countsItem
}

// decodeSlice reads the state of a slice, and the partition that it is in. No item is a
// slice at its start.
func decodeSlice(it item) (part string, state mailing.SliceState, err error) {
	var stored sliceItem
	if err := attributevalue.UnmarshalMap(it, &stored); err != nil {
		return "", mailing.SliceState{}, fmt.Errorf("decode a slice: %w", err)
	}
	return stored.Part, mailing.SliceState{
		Cursor: stored.Cursor, Done: stored.Done, Counts: stored.decode(),
		RetriedAt: fromMillis(stored.RetriedAt), ExtendedAt: fromMillis(stored.ExtendedAt),
	}, nil
}

// Slice returns the state of one slice of a mailing, strongly consistent. A slice that
// was never begun is at its start.
func (s *Store) Slice(ctx context.Context, id mailing.ID, slice int) (mailing.SliceState, error) {
	out, err := s.api.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.tables.Batches, Key: sliceKey(id, slice), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return mailing.SliceState{}, fmt.Errorf("read slice %d of mailing %d: %w", slice, id, err)
	}
	_, state, err := decodeSlice(out.Item)
	return state, err
}

// Slices returns the states of all slices of several mailings, strongly consistent.
func (s *Store) Slices(ctx context.Context, ids []mailing.ID) (map[mailing.ID]*[mailing.Slices]mailing.SliceState, error) {
	keys := make([]item, 0, len(ids)*mailing.Slices)
	states := make(map[mailing.ID]*[mailing.Slices]mailing.SliceState, len(ids))
	place := make(map[string]*mailing.SliceState, len(ids)*mailing.Slices)
	for _, id := range ids {
		all := new([mailing.Slices]mailing.SliceState)
		states[id] = all
		for slice := range mailing.Slices {
			keys = append(keys, sliceKey(id, slice))
			// A slice without an item keeps its zero state: it was never begun.
			place[batchPart(id, slice)] = &all[slice]
		}
	}
	items, err := s.batchGet(ctx, s.tables.Batches, keys, true)
	if err != nil {
		return nil, fmt.Errorf("read the slices of %d mailings: %w", len(ids), err)
	}
	for _, it := range items {
		part, state, err := decodeSlice(it)
		if err != nil {
			return nil, err
		}
		if p := place[part]; p != nil {
			*p = state
		}
	}
	return states, nil
}

// Progress returns the counts of each of ms, in their order. Those of a live mailing
// are the sum of its slices, each of which is exact in itself.
func (s *Store) Progress(ctx context.Context, ms []mailing.Mailing) ([]mailing.Progress, error) {
	var live []mailing.ID
	for _, m := range ms {
		if !m.Finished {
			live = append(live, m.ID)
		}
	}
	states, err := s.Slices(ctx, live)
	if err != nil {
		return nil, err
	}
	progress := make([]mailing.Progress, len(ms))
	for i, m := range ms {
		if m.Finished {
			// A finished mailing holds its own counts. Its slices are not read.
			progress[i] = mailing.Progress{Counts: m.Counts, Expanded: true}
			continue
		}
		progress[i] = mailing.Sum(states[m.ID])
	}
	return progress, nil
}

// WritePage stores one page of an expansion with its batches in one transaction. It
// reports false, and writes nothing, in two cases: another run has moved the cursor of
// the slice since, or the slice is kept by a later end than that of m. In the second
// case the settled batches of the page would expire too early.
func (s *Store) WritePage(ctx context.Context, m mailing.Mailing, p mailing.Page) (bool, error) {
	what := fmt.Sprintf("expand slice %d of mailing %d after client %d", p.Slice, m.ID, p.Seen)
	items := make([]types.TransactWriteItem, 0, len(p.Batches)+1)
	for _, b := range p.Batches {
		it, err := s.encodeBatch(b, m)
		if err != nil {
			return false, err
		}
		// The batches need no condition: that on the cursor admits each page once.
		items = append(items, types.TransactWriteItem{Put: &types.Put{TableName: &s.tables.Batches, Item: it}})
	}
	items = append(items, s.cursorMove(m, p))
	err := s.transact(ctx, what, items)
	if _, ok := refused(err); ok {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	return true, nil
}

// cursorMove returns the write that moves the cursor of a slice and adds the counts of
// the page. Its condition is that the cursor is still p.Seen, so each page is written
// once, and that no later end than that of m is noted.
func (s *Store) cursorMove(m mailing.Mailing, p mailing.Page) types.TransactWriteItem {
	a := newAdder()
	a.addCounts("", p.Counts)
	a.names["#cursor"], a.names["#done"] = "cursor", "done"
	a.values[":next"], a.values[":done"] = num(p.Next), &types.AttributeValueMemberBOOL{Value: p.Done}
	// The first page of a slice creates the cursor; later pages move it.
	condition := "attribute_not_exists(#cursor)"
	if p.Seen != 0 {
		condition = "#cursor = :seen AND #done = :false"
		a.values[":seen"], a.values[":false"] = num(p.Seen), &types.AttributeValueMemberBOOL{Value: false}
	}
	a.names["#extended"], a.values[":extended"] = extendedAttr, num(toMillis(m.ExtendedAt))
	condition += " AND (attribute_not_exists(#extended) OR #extended <= :extended)"
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &s.tables.Batches, Key: sliceKey(p.Mailing, p.Slice),
		ConditionExpression:      &condition,
		UpdateExpression:         aws.String(strings.TrimSpace("SET #cursor = :next, #done = :done " + a.expression())),
		ExpressionAttributeNames: a.names, ExpressionAttributeValues: a.values,
	}}
}

// StartMailing makes a scheduled mailing running if its start has come, and returns the
// mailing as it is now. Any other mailing is returned unchanged.
func (s *Store) StartMailing(ctx context.Context, id mailing.ID) (mailing.Mailing, error) {
	return s.UpdateMailing(ctx, id, func(m mailing.Mailing) (mailing.Mailing, error) {
		started, _ := m.Started(s.now())
		return started, nil
	})
}

// FinishMailing finishes a mailing whose audience is expanded and that has nothing
// pending. It reports whether the mailing is finished now.
func (s *Store) FinishMailing(ctx context.Context, id mailing.ID) (bool, error) {
	m, err := s.UpdateMailing(ctx, id, func(m mailing.Mailing) (mailing.Mailing, error) {
		if m.Finished {
			return m, nil
		}
		// The slices are read after the mailing. All that could make a message pending
		// again changes the version of the mailing first, and then this change is
		// refused.
		states, err := s.Slices(ctx, []mailing.ID{id})
		if err != nil {
			return m, err
		}
		counts, done := m.Done(states[id], s.now())
		if !done {
			return m, errUnfinished
		}
		return m.AsFinished(counts, s.now()), nil
	})
	if errors.Is(err, errUnfinished) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("finish mailing %d: %w", id, err)
	}
	return m.Finished, nil
}

// errUnfinished ends the change of a mailing that cannot be finished yet.
var errUnfinished = errors.New("something is pending")
