package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// Attributes of clients that expressions name, and the indexes for searching.
const (
	phoneAttr    = "phone"
	operatorAttr = "operator_code"
	tagAttr      = "tag"
	versionAttr  = "version"
	createdAttr  = "created_at"
	clientAttr   = "client"

	operatorIndex = "operator"
	tagIndex      = "tag"
)

type clientItem struct {
	Part string           `dynamodbav:"part"`
	ID   mailing.ClientID `dynamodbav:"-"`
	Sort string           `dynamodbav:"id"`

	Phone    string `dynamodbav:"phone"`
	Operator string `dynamodbav:"operator_code,omitempty"`
	// Tag is left out when it is empty: the key of an index cannot be.
	Tag      string `dynamodbav:"tag,omitempty"`
	Timezone string `dynamodbav:"timezone"`
	// CreatedAt is when it was created: 0 for one that is older than that. Edits keep
	// it, and nothing shows it.
	CreatedAt int64 `dynamodbav:"created_at,omitempty"`
	// ZoneSince is when Timezone was last edited.
	ZoneSince int64 `dynamodbav:"zone_since,omitempty"`
	// Version goes up with each write: what an edit has seen.
	Version int64 `dynamodbav:"version"`
}

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

func decodeClientItem(encoded item) (clientItem, error) {
	var it clientItem
	if err := attributevalue.UnmarshalMap(encoded, &it); err != nil {
		return clientItem{}, fmt.Errorf("decode a client: %w", err)
	}
	id, err := parseClientSort(it.Sort)
	it.ID = id
	return it, err
}

func parseClientSort(s string) (mailing.ClientID, error) {
	var id mailing.ClientID
	if _, err := fmt.Sscanf(s, "%010d", &id); err != nil || clientSort(id) != s {
		return 0, fmt.Errorf("%q is not the sort key of a client", s)
	}
	return id, nil
}

func decodeClient(encoded item) (mailing.Client, error) {
	it, err := decodeClientItem(encoded)
	if err != nil {
		return mailing.Client{}, err
	}
	return it.client(), nil
}

func (it clientItem) client() mailing.Client {
	return mailing.Client{ID: it.ID, Phone: it.Phone, OperatorCode: it.Operator, Tag: it.Tag, Timezone: it.Timezone, ZoneSince: fromMillis(it.ZoneSince)}
}

// Client reads one client, strongly consistent.
func (s *Store) Client(ctx context.Context, id mailing.ClientID) (mailing.Client, error) {
	it, err := s.client(ctx, id)
	return it.client(), err
}

func (s *Store) client(ctx context.Context, id mailing.ClientID) (clientItem, error) {
	out, err := s.api.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.tables.Clients, Key: clientKey(id), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return clientItem{}, fmt.Errorf("read client %d: %w", id, err)
	}
	if out.Item == nil {
		return clientItem{}, mailing.NotFound("client")
	}
	return decodeClientItem(out.Item)
}

// Clients reads several clients, strongly consistent. Ids that nothing has are
// left out; one that could not be read is an error, never left out.
func (s *Store) Clients(ctx context.Context, ids []mailing.ClientID) (map[mailing.ClientID]mailing.Client, error) {
	return s.readClients(ctx, ids)
}

// Recipients reads what a hand-over needs of several clients, strongly
// consistent: id, phone, time zone and since when. Ids that nothing has are left out.
func (s *Store) Recipients(ctx context.Context, ids []mailing.ClientID) (map[mailing.ClientID]mailing.Client, error) {
	return s.readClients(ctx, ids, sortKey, "phone", "timezone", "zone_since")
}

func (s *Store) readClients(ctx context.Context, ids []mailing.ClientID, attributes ...string) (map[mailing.ClientID]mailing.Client, error) {
	items, err := s.clientItems(ctx, ids, attributes...)
	found := make(map[mailing.ClientID]mailing.Client, len(items))
	for id, it := range items {
		found[id] = it.client()
	}
	return found, err
}

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

// idTries is how many random ids are tried for one new client. With a hundred
// million clients one in forty collides, so running out means that something
// else is wrong.
const idTries = 16

// CreateClient gives c a random id that was never used before, and stores it. A
// phone that another client has is a [mailing.KindConflict]. If the request has
// created it already, that is [mailing.ErrCreated].
func (s *Store) CreateClient(ctx context.Context, c mailing.Client, once mailing.Once) (mailing.Client, error) {
	return s.createClient(ctx, c, once, randomClientID)
}

func randomClientID() mailing.ClientID {
	return mailing.ClientID(rand.Uint32N(1<<32-1) + 1) //nolint:gosec // G404: it must be spread, not be secret
}

func (s *Store) createClient(ctx context.Context, c mailing.Client, once mailing.Once, newID func() mailing.ClientID) (mailing.Client, error) {
	for range idTries {
		c.ID = newID()
		created, err := s.putNewClient(ctx, c, once)
		if err != nil {
			return mailing.Client{}, err
		}
		if created {
			return c, nil
		}
	}
	return mailing.Client{}, errors.New("create a client: no free id was found")
}

// putNewClient is false if the id is, or was, somebody else's.
func (s *Store) putNewClient(ctx context.Context, c mailing.Client, once mailing.Once) (bool, error) {
	items, err := s.clientCreation(c)
	if err != nil {
		return false, err
	}
	record, err := s.once(once, createdClient, items[creationClient].Put.Item)
	if err != nil {
		return false, err
	}
	items = append(items, record...)
	err = s.transact(ctx, fmt.Sprintf("create client %d", c.ID), items)
	if createdBefore(once, err, items) {
		return false, mailing.ErrCreated
	}
	if actions, ok := refused(err); ok {
		for _, n := range actions {
			if n == creationPhone {
				return false, phoneTaken()
			}
		}
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("create client %d: %w", c.ID, err)
	}
	return true, nil
}

// Which of the actions of a creation writes the client itself, and which is
// refused if the phone is taken.
const (
	creationClient = iota
	creationPhone
)

// clientCreation are the actions that make a new client.
func (s *Store) clientCreation(c mailing.Client) ([]types.TransactWriteItem, error) {
	it, err := encodeClient(c, 1)
	if err != nil {
		return nil, err
	}
	it[createdAttr] = millis(s.now())
	return []types.TransactWriteItem{
		creationClient: s.putIfFree(it),
		creationPhone:  s.putIfFree(phoneItem(c)),
		{ConditionCheck: &types.ConditionCheck{
			TableName: &s.tables.Clients, Key: goneKey(c.ID),
			ConditionExpression: aws.String("attribute_not_exists(#id)"), ExpressionAttributeNames: map[string]string{"#id": sortKey},
		}},
	}, nil
}

// putIfFree puts an item where none is yet.
func (s *Store) putIfFree(it item) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &s.tables.Clients, Item: it,
		ConditionExpression: aws.String("attribute_not_exists(#id)"), ExpressionAttributeNames: map[string]string{"#id": sortKey},
	}}
}

// phoneItem says whose a phone is.
func phoneItem(c mailing.Client) item {
	it := phoneKey(c.Phone)
	it[clientAttr] = num(c.ID)
	return it
}

// ownerItem is a phone's item as it is read.
type ownerItem struct {
	Part string           `dynamodbav:"part"`
	ID   mailing.ClientID `dynamodbav:"client"`
}

func decodeOwner(encoded item) (ownerItem, error) {
	var it ownerItem
	if err := attributevalue.UnmarshalMap(encoded, &it); err != nil {
		return it, fmt.Errorf("read whose a phone is: %w", err)
	}
	return it, nil
}

func phoneTaken() error { return mailing.Conflict("this phone is taken") }
