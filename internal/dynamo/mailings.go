package dynamo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// createTries is how often a mailing is created anew because somebody else was
// given the id: each time one of them gets on.
const createTries = 40

// CreateMailing gives m the next id, in new tables the first one, and stores it as live, in one transaction
// that also counts the ids up. The id that this process gave out last is its
// guess at the counter; where others have been at it since, the refusal tells. If
// the request has created it already, that is [mailing.ErrCreated].
func (s *Store) CreateMailing(ctx context.Context, m mailing.Mailing, once mailing.Once) (mailing.Mailing, error) {
	for n := range createTries {
		last := s.lastMailing.Load()
		if last >= int64(mailing.MaxMailingID) {
			return mailing.Mailing{}, fmt.Errorf("all %d ids of mailings are used up", mailing.MaxMailingID)
		}
		m.ID = mailing.MailingID(last + 1) //nolint:gosec // G115: bounded above
		if last == 0 {
			m.ID = s.beginning()
		}
		items, err := s.creation(m, last, once)
		if err != nil {
			return mailing.Mailing{}, err
		}
		err = s.transact(ctx, fmt.Sprintf("create mailing %d", m.ID), items)
		if err == nil {
			s.lastMailing.CompareAndSwap(last, int64(m.ID))
			return m, nil
		}
		if createdBefore(once, err, items) {
			return mailing.Mailing{}, mailing.ErrCreated
		}
		if _, ok := refused(err); !ok {
			return mailing.Mailing{}, fmt.Errorf("create mailing %d: %w", m.ID, err)
		}
		given, err := counterOf(err)
		if err != nil {
			return mailing.Mailing{}, fmt.Errorf("create mailing %d: %w", m.ID, err)
		}
		s.lastMailing.Store(given)
		if n > 0 {
			if err := s.wait(ctx, backoff(n)); err != nil {
				return mailing.Mailing{}, fmt.Errorf("create mailing %d: %w", m.ID, err)
			}
		}
	}
	return mailing.Mailing{}, mailing.Conflict("others keep creating mailings at the same time: try again")
}

// creation is what a new mailing writes, the counter first, provided that the
// last id given out is still last; and the request's record last.
func (s *Store) creation(m mailing.Mailing, last int64, once mailing.Once) ([]types.TransactWriteItem, error) {
	put, err := s.putMailing(m, "attribute_not_exists(#id)", map[string]string{"#id": sortKey}, nil)
	if err != nil {
		return nil, err
	}
	record, err := s.once(once, createdMailing, put.Put.Item)
	if err != nil {
		return nil, err
	}
	return append([]types.TransactWriteItem{
		{Update: s.counted(m.ID, last)},
		put,
		{Put: &types.Put{TableName: &s.tables.Mailings, Item: liveKey(m.ID)}},
	}, record...), nil
}

// Mailing reads one mailing, strongly consistent. One that is deleted is
// still there, marked so, until its messages are accounted for and after.
func (s *Store) Mailing(ctx context.Context, id mailing.MailingID) (mailing.Mailing, error) {
	if id == 0 || id > mailing.MaxMailingID {
		return mailing.Mailing{}, mailing.NotFound("mailing")
	}
	out, err := s.api.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.tables.Mailings, Key: mailingKey(id), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return mailing.Mailing{}, fmt.Errorf("read mailing %d: %w", id, err)
	}
	if out.Item == nil {
		return mailing.Mailing{}, mailing.NotFound("mailing")
	}
	return decodeMailing(out.Item)
}

// Mailings reads several mailings, strongly consistent. Ids that nothing has
// are left out.
func (s *Store) Mailings(ctx context.Context, ids []mailing.MailingID) (map[mailing.MailingID]mailing.Mailing, error) {
	keys := make([]item, len(ids))
	for i, id := range ids {
		keys[i] = mailingKey(id)
	}
	items, err := s.batchGet(ctx, s.tables.Mailings, keys, true)
	if err != nil {
		return nil, fmt.Errorf("read %d mailings: %w", len(ids), err)
	}
	found := make(map[mailing.MailingID]mailing.Mailing, len(items))
	var broken []error
	for _, it := range items {
		m, err := decodeMailing(it)
		if err != nil {
			broken = append(broken, err)
			continue
		}
		found[m.ID] = m
	}
	return found, errors.Join(broken...)
}

// Live reads all mailings that are not finished, oldest first. One that cannot
// be read is logged and left out: it must not keep the others from being done.
func (s *Store) Live(ctx context.Context) ([]mailing.Mailing, error) {
	var ids []mailing.MailingID
	pages := dynamodb.NewQueryPaginator(s.api, &dynamodb.QueryInput{
		TableName: &s.tables.Mailings, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("#part = :live"),
		ExpressionAttributeNames:  map[string]string{"#part": partKey},
		ExpressionAttributeValues: item{":live": str(livePart)},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list live mailings: %w", err)
		}
		for _, it := range page.Items {
			var row struct {
				ID mailing.MailingID `dynamodbav:"id,string"`
			}
			if err := attributevalue.UnmarshalMap(it, &row); err != nil {
				return nil, fmt.Errorf("read a live row: %w", err)
			}
			ids = append(ids, row.ID)
		}
	}
	found, err := s.Mailings(ctx, ids)
	switch {
	case err != nil && len(found) == 0 && len(ids) > 0:
		return nil, err
	case err != nil:
		slog.ErrorContext(ctx, "live mailings that cannot be read", "error", err)
	}
	live := make([]mailing.Mailing, 0, len(ids))
	for _, id := range ids {
		if m, ok := found[id]; ok {
			live = append(live, m)
		}
	}
	return live, nil
}

// editTries is how often a change is made anew because somebody else changed
// the mailing in between.
const editTries = 10

// UpdateMailing reads a mailing, lets change decide what becomes of it, and
// writes that unless somebody else has changed it in between: then it begins
// anew, so change may be called several times. A change that leaves the version
// as it is writes nothing.
func (s *Store) UpdateMailing(ctx context.Context, id mailing.MailingID, change func(mailing.Mailing) (mailing.Mailing, error)) (mailing.Mailing, error) {
	for n := range editTries {
		old, err := s.Mailing(ctx, id)
		if err != nil {
			return mailing.Mailing{}, err
		}
		updated, err := change(old)
		if err != nil {
			return mailing.Mailing{}, err
		}
		if updated.Version == old.Version {
			return old, nil
		}
		saved, err := s.save(ctx, old, updated)
		if err != nil {
			return mailing.Mailing{}, err
		}
		if saved {
			return updated, nil
		}
		if err := s.wait(ctx, backoff(n)); err != nil {
			return mailing.Mailing{}, fmt.Errorf("change mailing %d: %w", id, err)
		}
	}
	return mailing.Mailing{}, mailing.Conflict("others keep changing this mailing: try again")
}

// save replaces old by updated, if old is still what is stored, together with
// all that follows from it: its row among the live ones, and its part in the
// totals of finished mailings.
func (s *Store) save(ctx context.Context, old, updated mailing.Mailing) (bool, error) {
	items, err := s.saveItems(old, updated)
	if err != nil {
		return false, err
	}
	err = s.transact(ctx, fmt.Sprintf("save mailing %d", old.ID), items)
	if _, ok := refused(err); ok {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("save mailing %d: %w", old.ID, err)
	}
	return true, nil
}

// saveItems are the writes that replace old by updated, with all that follows
// from it.
func (s *Store) saveItems(old, updated mailing.Mailing) ([]types.TransactWriteItem, error) {
	put, err := s.putMailing(updated, "#version = :seen", map[string]string{"#version": "version"}, item{":seen": num(old.Version)})
	if err != nil {
		return nil, err
	}
	items := []types.TransactWriteItem{put}
	switch {
	case !old.Finished && updated.Finished:
		items = append(items, types.TransactWriteItem{Delete: &types.Delete{TableName: &s.tables.Mailings, Key: liveKey(old.ID)}})
	case old.Finished && !updated.Finished:
		items = append(items, types.TransactWriteItem{Put: &types.Put{TableName: &s.tables.Mailings, Item: liveKey(old.ID)}})
	}
	return append(items, s.totalsChange(old, updated)...), nil
}

func (s *Store) putMailing(m mailing.Mailing, condition string, names map[string]string, values item) (types.TransactWriteItem, error) {
	it, err := encodeMailing(m)
	if err != nil {
		return types.TransactWriteItem{}, err
	}
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &s.tables.Mailings, Item: it, ConditionExpression: &condition,
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}}, nil
}
