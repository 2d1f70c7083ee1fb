package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// CreateClientWithIDs is [Store.CreateClient] with ids that are not random.
func (s *Store) CreateClientWithIDs(ctx context.Context, c mailing.Client, newID func() mailing.ClientID) (mailing.Client, error) {
	return s.createClient(ctx, c, mailing.Once{}, newID)
}

// EncodeClient is a client as it is stored, for tests that write many at once.
func EncodeClient(c mailing.Client) (map[string]types.AttributeValue, error) {
	return encodeClient(c, 1)
}

// PhoneItem is what keeps a client's phone unique.
func PhoneItem(c mailing.Client) map[string]types.AttributeValue { return phoneItem(c) }

// CounterItem is the counter of mailings after an id was given out.
func CounterItem(last mailing.MailingID) map[string]types.AttributeValue {
	it := counterKey()
	it[lastAttr] = num(last)
	return it
}

// CounterItemOfTests is the counter of test messages after an id was given out.
func CounterItemOfTests(last mailing.ClientID) map[string]types.AttributeValue {
	it := testCounterKey()
	it[lastAttr] = num(last)
	return it
}

// Position is a position in a list.
type Position = messagePosition

// EncodeCursor writes a position in the list of some filters down.
func EncodeCursor(p *Position, list string, filters ...any) (string, error) {
	return encodeCursor(listKey(list, filters...), p)
}

// DecodeCursor reads it.
func DecodeCursor(text, list string, filters ...any) (Position, error) {
	var p Position
	err := decodeCursor(listKey(list, filters...), text, &p)
	return p, err
}

// UpsertClientsWithIDs is [Store.UpsertClients] with ids that are not random.
func (s *Store) UpsertClientsWithIDs(ctx context.Context, rows []mailing.ClientRow, newID func() mailing.ClientID) ([]mailing.RowResult, error) {
	return s.upsertClients(ctx, rows, newID)
}
