package dynamo

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// UpdateClient reads a client, lets change decide what becomes of it, and
// writes that unless somebody else has changed it in between: then it begins
// anew, so change may be called several times. The id stays whatever change
// says. A phone that another client has is a [mailing.KindConflict].
func (s *Store) UpdateClient(ctx context.Context, id mailing.ClientID, change func(mailing.Client) (mailing.Client, error)) (mailing.Client, error) {
	var updated mailing.Client
	err := s.editClient(ctx, id, func(old clientItem) (done bool, err error) {
		if updated, err = change(old.client()); err != nil {
			return false, err
		}
		updated.ID, updated.ZoneSince = id, old.client().ZoneSince
		if updated == old.client() {
			return true, nil
		}
		return s.replaceClient(ctx, old, updated)
	})
	if err != nil {
		return mailing.Client{}, err
	}
	return updated, nil
}

// DeleteClient removes a client and frees its phone. Its id is never given out
// again.
func (s *Store) DeleteClient(ctx context.Context, id mailing.ClientID) error {
	return s.editClient(ctx, id, func(old clientItem) (bool, error) { return s.removeClient(ctx, old) })
}

// editClient reads a client and lets edit write, until that was not overtaken
// by somebody else's write. Waiting a random time in between lets many editors
// of the same client all come to their turn.
func (s *Store) editClient(ctx context.Context, id mailing.ClientID, edit func(old clientItem) (done bool, err error)) error {
	for n := range retryTries {
		old, err := s.client(ctx, id)
		if err != nil {
			return err
		}
		if done, err := edit(old); done || err != nil {
			return err
		}
		if err := s.wait(ctx, backoff(n)); err != nil {
			return fmt.Errorf("edit client %d: %w", id, err)
		}
	}
	return mailing.Conflict("others keep changing this client: try again")
}

// replaceClient is false if old is not what is stored any more.
func (s *Store) replaceClient(ctx context.Context, old clientItem, updated mailing.Client) (bool, error) {
	put, err := s.replacement(old, updated)
	if err != nil {
		return false, err
	}
	items := append([]types.TransactWriteItem{put}, s.rezoning(old, updated)...)
	if updated.Phone != old.Phone {
		items = append(items, s.freePhone(old), s.putIfFree(phoneItem(updated)))
	}
	err = s.transact(ctx, fmt.Sprintf("update client %d", old.ID), items)
	if actions, ok := refused(err); ok {
		// Only with all else as it was seen is it the phone that is in the way.
		if slices.Equal(actions, []int{len(items) - 1}) && updated.Phone != old.Phone {
			return false, phoneTaken()
		}
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("update client %d: %w", old.ID, err)
	}
	return true, nil
}

// replacement puts a client in its old one's place, if that is still what is
// stored.
func (s *Store) replacement(old clientItem, updated mailing.Client) (types.TransactWriteItem, error) {
	updated.ZoneSince = old.client().ZoneSince
	if updated.Timezone != old.Timezone {
		updated.ZoneSince = s.now()
	}
	it, err := encodeClient(updated, old.Version+1)
	if err == nil && old.CreatedAt != 0 {
		it[createdAttr] = num(old.CreatedAt)
	}
	condition, names, values := old.unchanged()
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &s.tables.Clients, Item: it, ConditionExpression: condition,
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}}, err
}

// goneItem is what is kept of a deleted client: no phone, and nothing else that
// tells who it was.
type goneItem struct {
	DeletedAt int64  `dynamodbav:"deleted_at"`
	Timezone  string `dynamodbav:"timezone,omitempty"`
	ZoneSince int64  `dynamodbav:"zone_since,omitempty"`
}

// Departed reads what is kept of deleted clients, strongly consistent: id, time
// zone and when they were deleted. Ids that no deleted client had are left out.
func (s *Store) Departed(ctx context.Context, ids []mailing.ClientID) (map[mailing.ClientID]mailing.Client, error) {
	keys := make([]item, len(ids))
	for i, id := range ids {
		keys[i] = goneKey(id)
	}
	items, err := s.batchGet(ctx, s.tables.Clients, keys, true)
	if err != nil {
		return nil, fmt.Errorf("read %d deleted clients: %w", len(ids), err)
	}
	found := make(map[mailing.ClientID]mailing.Client, len(items))
	for _, it := range items {
		var row struct {
			goneItem

			Sort string `dynamodbav:"id"`
		}
		if err := attributevalue.UnmarshalMap(it, &row); err != nil {
			return nil, fmt.Errorf("decode a deleted client: %w", err)
		}
		id, err := parseClientSort(row.Sort)
		if err != nil {
			return nil, err
		}
		found[id] = mailing.Client{ID: id, Timezone: row.Timezone, ZoneSince: fromMillis(row.ZoneSince), GoneAt: fromMillis(row.DeletedAt)}
	}
	return found, nil
}

// removeClient is false if old is not what is stored any more.
func (s *Store) removeClient(ctx context.Context, old clientItem) (bool, error) {
	gone, err := attributevalue.MarshalMap(goneItem{toMillis(s.now()), old.Timezone, old.ZoneSince})
	if err != nil {
		return false, fmt.Errorf("encode deleted client %d: %w", old.ID, err)
	}
	maps.Copy(gone, goneKey(old.ID))
	condition, names, values := old.unchanged()
	err = s.transact(ctx, fmt.Sprintf("delete client %d", old.ID), []types.TransactWriteItem{
		{Delete: &types.Delete{
			TableName: &s.tables.Clients, Key: clientKey(old.ID), ConditionExpression: condition,
			ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		}},
		s.freePhone(old),
		{Put: &types.Put{TableName: &s.tables.Clients, Item: gone}},
	})
	if _, ok := refused(err); ok {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("delete client %d: %w", old.ID, err)
	}
	return true, nil
}

// unchanged is the condition that it is still what is stored.
func (it clientItem) unchanged() (condition *string, names map[string]string, values item) {
	return aws.String("#version = :seen"), map[string]string{"#version": versionAttr}, item{":seen": num(it.Version)}
}

// freePhone removes the item of a client's phone, if it is still this client's.
func (s *Store) freePhone(it clientItem) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{
		TableName: &s.tables.Clients, Key: phoneKey(it.Phone), ConditionExpression: aws.String("#client = :client"),
		ExpressionAttributeNames: map[string]string{"#client": clientAttr}, ExpressionAttributeValues: item{":client": num(it.ID)},
	}}
}
