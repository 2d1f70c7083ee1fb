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

type sliceItem struct {
	Part   string           `dynamodbav:"part"`
	Cursor mailing.ClientID `dynamodbav:"cursor"`
	Done   bool             `dynamodbav:"done"`
	// RetriedAt is the mailing's retried_at whose failures were queued anew.
	RetriedAt int64 `dynamodbav:"retried_at"`
	// ExtendedAt is the mailing's extended_at by which the settled batches are kept.
	ExtendedAt int64 `dynamodbav:"extended_at"`
	countsItem
}

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

// Slice reads how far one slice of a mailing is, strongly consistent. One that
// was never begun is at its start.
func (s *Store) Slice(ctx context.Context, id mailing.MailingID, slice int) (mailing.SliceState, error) {
	out, err := s.api.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.tables.Batches, Key: sliceKey(id, slice), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return mailing.SliceState{}, fmt.Errorf("read slice %d of mailing %d: %w", slice, id, err)
	}
	_, state, err := decodeSlice(out.Item)
	return state, err
}

// Slices reads all slices of several mailings, strongly consistent.
func (s *Store) Slices(ctx context.Context, ids []mailing.MailingID) (map[mailing.MailingID]*[mailing.Slices]mailing.SliceState, error) {
	keys := make([]item, 0, len(ids)*mailing.Slices)
	states := make(map[mailing.MailingID]*[mailing.Slices]mailing.SliceState, len(ids))
	place := make(map[string]*mailing.SliceState, len(ids)*mailing.Slices)
	for _, id := range ids {
		all := new([mailing.Slices]mailing.SliceState)
		states[id] = all
		for slice := range mailing.Slices {
			keys = append(keys, sliceKey(id, slice))
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

// Progress tells the counts of each of ms, in their order. Of a mailing that is
// not finished they are the sum of its slices, each exact in itself.
func (s *Store) Progress(ctx context.Context, ms []mailing.Mailing) ([]mailing.Progress, error) {
	var live []mailing.MailingID
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
			progress[i] = mailing.Progress{Counts: m.Counts, Expanded: true}
			continue
		}
		progress[i] = mailing.Sum(states[m.ID])
	}
	return progress, nil
}

// WritePage stores one page of an expansion with its batches in one
// transaction. It tells false, and writes nothing, if somebody else has moved
// the slice's cursor since, or the slice is kept by a later end than m's: what the
// page settles would expire too early.
func (s *Store) WritePage(ctx context.Context, m mailing.Mailing, p mailing.Page) (bool, error) {
	what := fmt.Sprintf("expand slice %d of mailing %d after client %d", p.Slice, m.ID, p.Seen)
	items := make([]types.TransactWriteItem, 0, len(p.Batches)+1)
	for _, b := range p.Batches {
		it, err := s.encodeBatch(b, m)
		if err != nil {
			return false, err
		}
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

func (s *Store) cursorMove(m mailing.Mailing, p mailing.Page) types.TransactWriteItem {
	a := newAdder()
	a.addCounts("", p.Counts)
	a.names["#cursor"], a.names["#done"] = "cursor", "done"
	a.values[":next"], a.values[":done"] = num(p.Next), &types.AttributeValueMemberBOOL{Value: p.Done}
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

// StartMailing makes a scheduled mailing whose start has come running, and
// returns it as it is now; one that does not start now is returned as it is.
func (s *Store) StartMailing(ctx context.Context, id mailing.MailingID) (mailing.Mailing, error) {
	return s.UpdateMailing(ctx, id, func(m mailing.Mailing) (mailing.Mailing, error) {
		started, _ := m.Started(s.now())
		return started, nil
	})
}

// FinishMailing finishes a mailing whose audience is expanded and that has
// nothing pending. It tells whether the mailing is finished now.
func (s *Store) FinishMailing(ctx context.Context, id mailing.MailingID) (bool, error) {
	m, err := s.UpdateMailing(ctx, id, func(m mailing.Mailing) (mailing.Mailing, error) {
		if m.Finished {
			return m, nil
		}
		// Read after the mailing: all that could make something pending again
		// changes the mailing's version first.
		states, err := s.Slices(ctx, []mailing.MailingID{id})
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

var errUnfinished = errors.New("something is pending")
