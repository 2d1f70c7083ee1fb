package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// zoneEditItem notes that the time zone of a client was edited while messages may still
// wait by the old one. As with clients, there is one partition per slice: so an import
// that edits many zones writes no more to one of these partitions than to one of the
// clients'.
type zoneEditItem struct {
	Part    string `dynamodbav:"part"`
	Sort    string `dynamodbav:"id"`
	Version int64  `dynamodbav:"version"`
	At      int64  `dynamodbav:"at"`
}

// zoneEditPart returns the partition with the edits of a slice.
func zoneEditPart(slice int) string { return "rezoned#" + clientPart(slice) }

func zoneEditKey(id mailing.ClientID) item { return key(zoneEditPart(id.Slice()), clientSort(id)) }

// zone edit returns the write that notes an edit of the time zone, in the same
// transaction as the edit. It returns none if the zone does not change.
func (s *Store) putZoneEdit(old clientItem, updated mailing.Client) []types.TransactWriteItem {
	if updated.Timezone == old.Timezone {
		return nil
	}
	it := zoneEditKey(old.ID)
	it[versionAttr], it["at"] = num(old.Version+1), millis(s.now())
	return []types.TransactWriteItem{{Put: &types.Put{TableName: &s.tables.Clients, Item: it}}}
}

// ZoneEdits returns up to limit clients of a slice whose zone was edited and whose
// messages may still be planned by the old one. It begins after the client after, in
// the order of ids, and is strongly consistent.
func (s *Store) ZoneEdits(ctx context.Context, slice int, after mailing.ClientID, limit int) ([]mailing.ZoneEdit, error) {
	part, err := s.walk(ctx, walk{
		table: s.tables.Clients, key: partitionAfter(partKey, zoneEditPart(slice), clientSort(after)), limit: limit, pages: 1,
	})
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

// DeleteZoneEdits removes edits of clients of one slice. An edit that was followed by
// another one stays: the stored version is then a later one.
func (s *Store) DeleteZoneEdits(ctx context.Context, slice int, edits []mailing.ZoneEdit) error {
	what := fmt.Sprintf("forget edited zones of slice %d", slice)
	for len(edits) > 0 {
		rest := edits[:min(len(edits), transactActions)]
		edits = edits[len(rest):]
		for len(rest) > 0 {
			items := make([]types.TransactWriteItem, len(rest))
			for i, e := range rest {
				items[i] = types.TransactWriteItem{Delete: &types.Delete{
					TableName: &s.tables.Clients, Key: zoneEditKey(e.Client), ConditionExpression: aws.String("#version = :seen"),
					ExpressionAttributeNames: map[string]string{"#version": versionAttr}, ExpressionAttributeValues: item{":seen": num(e.Version)},
				}}
			}
			err := s.transact(ctx, what, items)
			if err == nil {
				break
			}
			actions, ok := refused(err)
			if !ok {
				return fmt.Errorf("%s: %w", what, err)
			}
			rest, _ = without(rest, actions)
		}
	}
	return nil
}

// BatchOf returns the batch that holds the message of a mailing to a client, strongly
// consistent. ok is false if there is none.
func (s *Store) BatchOf(ctx context.Context, m mailing.Mailing, client mailing.ClientID) (b mailing.Batch, ok bool, err error) {
	b, n, err := s.batchOf(ctx, m, client)
	return b, n >= 0 && err == nil, err
}

// Replan writes a batch whose messages are planned again: the batch may then be claimed
// at once. It reports false, and writes nothing, if a sender holds the batch, or its
// recipients have changed since it was seen.
//
// A lease counts even after its end: the next sender that claims the batch decides on
// it again.
func (s *Store) Replan(ctx context.Context, seen, replanned mailing.Batch) (bool, error) {
	before, err := encodeRecipients(seen.Recipients)
	if err != nil {
		return false, fmt.Errorf("encode the members of batch %s: %w", seen.Key, err)
	}
	after, err := encodeRecipients(replanned.Recipients)
	if err != nil {
		return false, fmt.Errorf("encode the members of batch %s: %w", seen.Key, err)
	}
	names := claimableNames()
	names["#members"], names["#sweeps"] = "members", "sweeps"
	return s.update(ctx, "plan again", seen.Key, &dynamodb.UpdateItemInput{
		ConditionExpression:       aws.String("attribute_exists(#due) AND attribute_not_exists(#lease) AND #members = :seen"),
		UpdateExpression:          aws.String("SET #members = :members, #due = :due REMOVE #from, #sweeps"),
		ExpressionAttributeNames:  names,
		ExpressionAttributeValues: item{":seen": str(before), ":members": str(after), ":due": millis(replanned.DueAt)},
	})
}
