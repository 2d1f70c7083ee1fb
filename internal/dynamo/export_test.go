package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// CreateClientWithIDs is [Store.CreateClient] with ids that are not random.
func (s *Store) CreateClientWithIDs(ctx context.Context, c mailing.Client, newID func() mailing.ClientID) (mailing.Client, error) {
	return s.createClient(ctx, c, mailing.Idempotency{}, newID)
}

// EncodeClient returns a client as it is stored, for tests that write many at once.
func EncodeClient(c mailing.Client) (map[string]types.AttributeValue, error) {
	return encodeClient(c, 1)
}

// PhoneItem returns the item that keeps the phone of a client unique.
func PhoneItem(c mailing.Client) map[string]types.AttributeValue { return phoneItem(c) }

// CounterItem returns the counter of mailings after the id last was given out.
func CounterItem(last mailing.ID) map[string]types.AttributeValue {
	it := counterKey()
	it[lastAttr] = num(last)
	return it
}

// CounterItemOfTests returns the counter of test messages after the id last was given
// out.
func CounterItemOfTests(last mailing.ClientID) map[string]types.AttributeValue {
	it := testCounterKey()
	it[lastAttr] = num(last)
	return it
}

// Position is a position in a list.
type Position = messagePosition

// EncodeCursor returns the cursor of a position in a list with filters.
func EncodeCursor(p *Position, list string, filters ...any) (string, error) {
	return encodeCursor(listKey(list, filters...), p)
}

// DecodeCursor returns the position in a cursor of that list.
func DecodeCursor(text, list string, filters ...any) (Position, error) {
	var p Position
	err := decodeCursor(listKey(list, filters...), text, &p)
	return p, err
}

// UpsertClientsWithIDs is [Store.UpsertClients] with ids that are not random.
func (s *Store) UpsertClientsWithIDs(ctx context.Context, rows []mailing.ClientRow, newID func() mailing.ClientID) ([]mailing.RowResult, error) {
	return s.upsertClients(ctx, rows, newID)
}

// MaxKnownFacets is how many markers a process remembers.
const MaxKnownFacets = maxKnownFacets

// MarkFacets stores the markers of clients, without the clients.
func (s *Store) MarkFacets(ctx context.Context, clients ...mailing.Client) error {
	return s.markFacets(ctx, clients...)
}

// KnownFacets returns how many markers this process remembers.
func (s *Store) KnownFacets() int {
	s.facets.mu.Lock()
	defer s.facets.mu.Unlock()
	return len(s.facets.known)
}

// Totals returns the sums over finished mailings.
func (s *Store) Totals(ctx context.Context) (Totals, error) {
	all, err := s.readEverything(ctx, nil)
	return all.totals, err
}

// SliceKey returns the key of the state of a slice of a mailing.
func SliceKey(id mailing.ID, slice int) map[string]types.AttributeValue { return sliceKey(id, slice) }
