package dynamo

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// UpdateClient reads a client, calls change with it, and writes the client that change
// returns. If another process writes the client in between, UpdateClient begins again.
// So it may call change several times. change cannot alter the id. A phone that another
// client has is a [mailing.KindConflict].
func (s *Store) UpdateClient(ctx context.Context, id mailing.ClientID, change func(mailing.Client) (mailing.Client, error)) (mailing.Client, error) {
	var updated mailing.Client
	err := s.editClient(ctx, id, func(old clientItem) (done bool, err error) {
		if updated, err = change(old.client()); err != nil {
			return false, err
		}
		// replacement sets ZoneSince when the time zone changes. change cannot set it.
		updated.ID, updated.ZoneSince = id, old.client().ZoneSince
		// An unchanged client is marked, too: it may be older than the markers.
		if err := s.markFacets(ctx, updated); err != nil {
			return false, err
		}
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

// DeleteClient removes a client and frees its phone. Its id is never used again.
func (s *Store) DeleteClient(ctx context.Context, id mailing.ClientID) error {
	return s.editClient(ctx, id, func(old clientItem) (bool, error) { return s.removeClient(ctx, old) })
}

// editClient reads a client and calls edit, which writes it. If another process has
// written the client in between, editClient tries again. After retryTries tries the
// error is a [mailing.KindConflict]. The random wait between two tries lets many
// editors of one client succeed one after the other.
func (s *Store) editClient(ctx context.Context, id mailing.ClientID, edit func(old clientItem) (done bool, err error)) error {
	done, err := s.repeat(ctx, retryTries, func() (bool, error) {
		old, err := s.client(ctx, id)
		if err != nil {
			return false, err
		}
		return edit(old)
	})
	if !done && err == nil {
		err = mailing.Conflict("others keep changing this client: try again")
	}
	return err
}

// replaceClient writes a changed client. It reports false if the stored client has
// changed since old was read.
func (s *Store) replaceClient(ctx context.Context, old clientItem, updated mailing.Client) (bool, error) {
	replacement, err := s.replacement(old, updated)
	if err != nil {
		return false, err
	}
	items := append([]types.TransactWriteItem{replacement}, s.putZoneEdit(old, updated)...)
	// The same transaction frees the old phone and reserves the new one. So no other
	// client can take the new phone in between. The action that reserves it is the last
	// one.
	if updated.Phone != old.Phone {
		items = append(items, s.freePhone(old), put(s.tables.Clients, phoneItem(updated), isNew, nil))
	}
	err = s.transact(ctx, items, "update client %d", old.ID)
	// The phone is reported as taken only if no other action was refused. If another
	// one was, the client itself has changed, and the edit begins again.
	if actions, _ := refused(err); slices.Equal(actions, []int{len(items) - 1}) && updated.Phone != old.Phone {
		return false, phoneTaken()
	}
	return unlessRefused(err)
}

// replacement returns the write that replaces a client, on the condition that the
// client has not changed since old was read. It sets ZoneSince if the time zone
// changes, and keeps the instant of creation.
func (s *Store) replacement(old clientItem, updated mailing.Client) (types.TransactWriteItem, error) {
	updated.ZoneSince = old.client().ZoneSince
	if updated.Timezone != old.Timezone {
		updated.ZoneSince = s.now()
	}
	it, err := encodeClient(updated, old.Version+1)
	// encodeClient cannot know the instant of creation: mailing.Client does not have
	// it.
	if err == nil && old.CreatedAt != 0 {
		it["created_at"] = num(old.CreatedAt)
	}
	return put(s.tables.Clients, it, sameVersion, item{":version": num(old.Version)}), err
}

// goneItem holds the data that are kept of a deleted client: no phone, and nothing else
// that identifies the person.
type goneItem struct {
	DeletedAt int64  `dynamodbav:"deleted_at"`
	Timezone  string `dynamodbav:"timezone,omitempty"`
	ZoneSince int64  `dynamodbav:"zone_since,omitempty"`
}

// Departed returns the data that are kept of deleted clients, strongly consistent: the
// id, the time zone, the instant of the last edit of the zone, and the instant of the
// deletion. Ids that no deleted client had are left out.
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

// removeClient deletes a client. It reports false if the stored client has changed
// since old was read.
func (s *Store) removeClient(ctx context.Context, old clientItem) (bool, error) {
	gone, err := attributevalue.MarshalMap(goneItem{toMillis(s.now()), old.Timezone, old.ZoneSince})
	if err != nil {
		return false, fmt.Errorf("encode deleted client %d: %w", old.ID, err)
	}
	maps.Copy(gone, goneKey(old.ID))
	return unlessRefused(s.transact(ctx, []types.TransactWriteItem{
		remove(s.tables.Clients, clientKey(old.ID), sameVersion, item{":version": num(old.Version)}),
		s.freePhone(old),
		// The same transaction writes the goneItem, so no new client can get the id in
		// between.
		put(s.tables.Clients, gone, "", nil),
	}, "delete client %d", old.ID))
}

// freePhone returns the action that removes the item of a client's phone, if the phone
// still belongs to this client.
func (s *Store) freePhone(it clientItem) types.TransactWriteItem {
	return remove(s.tables.Clients, phoneKey(it.Phone), "#client = :client", item{":client": num(it.ID)})
}
