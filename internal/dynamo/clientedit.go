package dynamo

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
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
		updated.ID = id
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
	items := []types.TransactWriteItem{put}
	if updated.Phone != old.Phone {
		items = append(items, s.freePhone(old), s.putIfFree(phoneItem(updated)))
	}
	err = s.transact(ctx, fmt.Sprintf("update client %d", old.ID), items)
	if actions, ok := refused(err); ok {
		// Only with all else as it was seen is it the phone that is in the way.
		if slices.Equal(actions, []int{len(items) - 1}) && len(items) > 1 {
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

// removeClient is false if old is not what is stored any more.
func (s *Store) removeClient(ctx context.Context, old clientItem) (bool, error) {
	gone := goneKey(old.ID)
	gone["deleted_at"] = millis(s.now())
	condition, names, values := old.unchanged()
	err := s.transact(ctx, fmt.Sprintf("delete client %d", old.ID), []types.TransactWriteItem{
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
