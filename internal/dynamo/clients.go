package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// These are the indexes for searching clients.
const (
	operatorIndex = "operator"
	tagIndex      = "tag"
)

// clientItem is a client as it is stored.
type clientItem struct {
	Part string           `dynamodbav:"part"`
	ID   mailing.ClientID `dynamodbav:"-"`
	Sort string           `dynamodbav:"id"`

	Phone    string `dynamodbav:"phone"`
	Operator string `dynamodbav:"operator_code,omitempty"`
	// Tag is left out when it is empty, because the key of an index cannot be empty.
	Tag      string `dynamodbav:"tag,omitempty"`
	Timezone string `dynamodbav:"timezone"`
	// CreatedAt is when the client was created; 0 for a client from before the
	// attribute existed. Edits keep it. The API does not show it.
	CreatedAt int64 `dynamodbav:"created_at,omitempty"`
	// ZoneSince is when Timezone was last edited.
	ZoneSince int64 `dynamodbav:"zone_since,omitempty"`
	// Version increases with each write. An edit is refused if the version has changed
	// since the client was read.
	Version int64 `dynamodbav:"version"`
}

// encodeClient returns a client as it is stored, without the instant of its creation.
func encodeClient(c mailing.Client, version int64) (item, error) {
	encoded, err := attributevalue.MarshalMap(clientItem{
		Part: clientPart(c.ID.Slice()), Sort: clientSort(c.ID),
		Phone: c.Phone, Operator: c.OperatorCode, Tag: c.Tag, Timezone: c.Timezone, ZoneSince: toMillis(c.ZoneSince), Version: version,
	})
	if err != nil {
		return nil, fmt.Errorf("encode client %d: %w", c.ID, err)
	}
	return encoded, nil
}

// decodeClientItem reads a client from its item. The id comes from the sort key.
func decodeClientItem(encoded item) (clientItem, error) {
	var it clientItem
	if err := attributevalue.UnmarshalMap(encoded, &it); err != nil {
		return clientItem{}, fmt.Errorf("decode a client: %w", err)
	}
	id, err := parseClientSort(it.Sort)
	it.ID = id
	return it, err
}

// parseClientSort reads an id from the sort key of a client.
func parseClientSort(s string) (mailing.ClientID, error) {
	var id mailing.ClientID
	if _, err := fmt.Sscanf(s, "%010d", &id); err != nil || clientSort(id) != s {
		return 0, fmt.Errorf("%q is not the sort key of a client", s)
	}
	return id, nil
}

// decodeClient reads a client from its item, without the version and the instant of
// creation.
func decodeClient(encoded item) (mailing.Client, error) {
	it, err := decodeClientItem(encoded)
	if err != nil {
		return mailing.Client{}, err
	}
	return it.client(), nil
}

// client returns the stored client, without the version and the instant of creation.
func (it clientItem) client() mailing.Client {
	return mailing.Client{ID: it.ID, Phone: it.Phone, OperatorCode: it.Operator, Tag: it.Tag, Timezone: it.Timezone, ZoneSince: fromMillis(it.ZoneSince)}
}

// Client returns one client, strongly consistent.
func (s *Store) Client(ctx context.Context, id mailing.ClientID) (mailing.Client, error) {
	it, err := s.client(ctx, id)
	return it.client(), err
}

// client returns one client as it is stored, strongly consistent. An unknown id is a
// [mailing.KindNotFound].
func (s *Store) client(ctx context.Context, id mailing.ClientID) (clientItem, error) {
	it, err := s.get(ctx, s.tables.Clients, clientKey(id), "read client %d", id)
	if err != nil {
		return clientItem{}, err
	}
	if it == nil {
		return clientItem{}, mailing.NotFound("client")
	}
	return decodeClientItem(it)
}

// Clients returns several clients, strongly consistent. Unknown ids are left out. A
// client that could not be read is an error, and is never left out.
func (s *Store) Clients(ctx context.Context, ids []mailing.ClientID) (map[mailing.ClientID]mailing.Client, error) {
	return s.readClients(ctx, ids)
}

// Recipients returns the attributes of several clients that a hand-over needs, strongly
// consistent: id, phone, time zone and when the zone was edited. Unknown ids are left
// out.
func (s *Store) Recipients(ctx context.Context, ids []mailing.ClientID) (map[mailing.ClientID]mailing.Client, error) {
	return s.readClients(ctx, ids, sortKey, "phone", "timezone", "zone_since")
}

// readClients returns several clients; with attributes, only those are read.
func (s *Store) readClients(ctx context.Context, ids []mailing.ClientID, attributes ...string) (map[mailing.ClientID]mailing.Client, error) {
	items, err := s.clientItems(ctx, ids, attributes...)
	found := make(map[mailing.ClientID]mailing.Client, len(items))
	for id, it := range items {
		found[id] = it.client()
	}
	return found, err
}

// clientItems returns several clients as they are stored, strongly consistent. With
// attributes, only those are read; the sort key must be one of them.
func (s *Store) clientItems(ctx context.Context, ids []mailing.ClientID, attributes ...string) (map[mailing.ClientID]clientItem, error) {
	keys := make([]item, len(ids))
	for i, id := range ids {
		keys[i] = clientKey(id)
	}
	items, err := s.batchGet(ctx, s.tables.Clients, keys, true, attributes...)
	if err != nil {
		return nil, fmt.Errorf("read %d clients: %w", len(ids), err)
	}
	found := make(map[mailing.ClientID]clientItem, len(items))
	for _, it := range items {
		c, err := decodeClientItem(it)
		if err != nil {
			return nil, err
		}
		found[c.ID] = c
	}
	return found, nil
}

// idTries is how many random ids are tried for one new client. With a hundred million
// clients, one id in forty is taken. So 16 failures in a row mean that something else
// is wrong.
const idTries = 16

// CreateClient gives c a random id that was never used before, and stores it. A phone
// that another client has is a [mailing.KindConflict]. If a request with the same
// idempotency key has created a client already, the error is [mailing.ErrCreated].
func (s *Store) CreateClient(ctx context.Context, c mailing.Client, idem mailing.Idempotency) (mailing.Client, error) {
	return s.createClient(ctx, c, idem, randomClientID)
}

// randomClientID returns an id from 1 to 2^32-1. Random ids spread the clients evenly
// over the slices.
func randomClientID() mailing.ClientID {
	return mailing.ClientID(rand.Uint32N(1<<32-1) + 1) //nolint:gosec // G404: it must be spread evenly, not secret
}

// createClient is CreateClient with a source of ids.
func (s *Store) createClient(ctx context.Context, c mailing.Client, idem mailing.Idempotency, newID func() mailing.ClientID) (mailing.Client, error) {
	if err := s.markFacets(ctx, c); err != nil {
		return mailing.Client{}, err
	}
	for range idTries {
		c.ID = newID()
		created, err := s.putNewClient(ctx, c, idem)
		if err != nil {
			return mailing.Client{}, err
		}
		if created {
			return c, nil
		}
	}
	return mailing.Client{}, errors.New("create a client: no free id was found")
}

// putNewClient stores a new client. It reports false if another client has, or had, the
// id.
func (s *Store) putNewClient(ctx context.Context, c mailing.Client, idem mailing.Idempotency) (bool, error) {
	items, err := s.clientCreation(c)
	if err != nil {
		return false, err
	}
	record, err := s.idempotencyItems(idem, createdClient, items[creationClient].Put.Item)
	if err != nil {
		return false, err
	}
	items = append(items, record...)
	err = s.transact(ctx, items, "create client %d", c.ID)
	if createdBefore(idem, err, items) {
		return false, mailing.ErrCreated
	}
	// With another id the phone would still be taken, so this is final.
	if actions, _ := refused(err); slices.Contains(actions, creationPhone) {
		return false, phoneTaken()
	}
	return unlessRefused(err)
}

// These are indexes of actions in a creation. The action at creationClient writes the
// client. The action at creationPhone reserves the phone; DynamoDB refuses it if the
// phone is taken.
const (
	creationClient = iota
	creationPhone
)

// clientCreation returns the actions that create a client. They are refused if the id
// or the phone is taken, or if a deleted client had the id.
func (s *Store) clientCreation(c mailing.Client) ([]types.TransactWriteItem, error) {
	it, err := encodeClient(c, 1)
	if err != nil {
		return nil, err
	}
	it["created_at"] = millis(s.now())
	return []types.TransactWriteItem{
		creationClient: put(s.tables.Clients, it, isNew, nil),
		creationPhone:  put(s.tables.Clients, phoneItem(c), isNew, nil),
		check(s.tables.Clients, goneKey(c.ID), isNew, nil),
	}, nil
}

// phoneItem returns the item that names the owner of a phone. Its key is the phone, so
// no two clients can have the same one.
func phoneItem(c mailing.Client) item {
	it := phoneKey(c.Phone)
	it["client"] = num(c.ID)
	return it
}

// ownerItem is the item of a phone as it is read.
type ownerItem struct {
	Part string           `dynamodbav:"part"`
	ID   mailing.ClientID `dynamodbav:"client"`
}

// decodeOwner reads the owner of a phone from its item.
func decodeOwner(encoded item) (ownerItem, error) {
	var it ownerItem
	if err := attributevalue.UnmarshalMap(encoded, &it); err != nil {
		return it, fmt.Errorf("decode the owner of a phone: %w", err)
	}
	return it, nil
}

// phoneTaken returns the error for a phone that another client has.
func phoneTaken() error { return mailing.Conflict("this phone is taken") }
