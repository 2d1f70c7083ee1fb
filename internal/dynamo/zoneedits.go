package dynamo

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// zoneEditItem notes that the time zone of a client was edited. Messages may still wait
// by the old zone. Each slice has a partition for these items, as it has one for its
// clients. So an import that edits many zones spreads these writes as it spreads those
// to the clients.
type zoneEditItem struct {
	Part    string `dynamodbav:"part"`
	Sort    string `dynamodbav:"id"`
	Version int64  `dynamodbav:"version"`
	At      int64  `dynamodbav:"at"`
}

// zoneEditPart returns the partition with the edits of a slice.
func zoneEditPart(slice int) string { return "rezoned#" + clientPart(slice) }

func zoneEditKey(id mailing.ClientID) item { return key(zoneEditPart(id.Slice()), clientSort(id)) }

// putZoneEdit returns the action that notes an edit of the time zone, in the same
// transaction as the edit. It returns none if the zone does not change.
func (s *Store) putZoneEdit(old clientItem, updated mailing.Client) []types.TransactWriteItem {
	if updated.Timezone == old.Timezone {
		return nil
	}
	it := zoneEditKey(old.ID)
	it["version"], it["at"] = num(old.Version+1), millis(s.now())
	return []types.TransactWriteItem{put(s.tables.Clients, it, "", nil)}
}

// ZoneEdits returns up to limit edits of time zones of the clients of a slice, strongly
// consistent. Messages to these clients may still wait by the old zone. The edits are
// in the order of client ids, and begin after the client after.
func (s *Store) ZoneEdits(ctx context.Context, slice int, after mailing.ClientID, limit int) ([]mailing.ZoneEdit, error) {
	w := clientsAfter(s.tables.Clients, partKey, zoneEditPart(slice), after)
	w.limit, w.pages = limit, 1
	part, err := s.walk(ctx, w)
	if err != nil {
		return nil, fmt.Errorf("read the edited zones of slice %d: %w", slice, err)
	}
	return decodeAll(part.items, decodeZoneEdit)
}

// decodeZoneEdit reads an edit of a time zone from its item.
func decodeZoneEdit(encoded item) (mailing.ZoneEdit, error) {
	var it zoneEditItem
	if err := attributevalue.UnmarshalMap(encoded, &it); err != nil {
		return mailing.ZoneEdit{}, fmt.Errorf("decode an edited zone: %w", err)
	}
	id, err := parseClientSort(it.Sort)
	return mailing.ZoneEdit{Client: id, Version: it.Version, At: fromMillis(it.At)}, err
}

// DeleteZoneEdits removes edits of clients of one slice. If the zone was edited again
// since, the newer edit stays, because the stored version differs.
func (s *Store) DeleteZoneEdits(ctx context.Context, slice int, edits []mailing.ZoneEdit) error {
	for some := range slices.Chunk(edits, transactActions) {
		_, err := writeEach(some, func(rest []mailing.ZoneEdit) error {
			items := make([]types.TransactWriteItem, len(rest))
			for i, e := range rest {
				items[i] = remove(s.tables.Clients, zoneEditKey(e.Client), sameVersion, item{":version": num(e.Version)})
			}
			return s.transact(ctx, items, "delete edits of zones of slice %d", slice)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
