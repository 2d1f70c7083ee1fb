package dynamo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// onceItem is the record of a request with an idempotency key. It is in the
// table of batches because things expire there. Under the name of its kind it
// holds what the request has created, as it was then.
type onceItem struct {
	// Request is what was asked for; Until when it is forgotten, in milliseconds,
	// as TTL comes some days late.
	Request string `dynamodbav:"request"`
	Until   int64  `dynamodbav:"until"`
	TTL     int64  `dynamodbav:"ttl"`
}

// What a request can create.
const (
	createdClient  = "client"
	createdMailing = "mailing"
	createdTest    = "test"
)

const onceSort = "once"

func onceKey(o mailing.Once) item { return key("once#"+o.Key, onceSort) }

// Created reads what this request has created before, false if nothing.
// Another request under the same key is a [mailing.KindInvalid].
func (s *Store) Created(ctx context.Context, o mailing.Once) (mailing.Creation, bool, error) {
	out, err := s.api.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.tables.Batches, Key: onceKey(o), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return mailing.Creation{}, false, fmt.Errorf("read what a request has created: %w", err)
	}
	if out.Item == nil {
		return mailing.Creation{}, false, nil
	}
	var it onceItem
	if err := attributevalue.UnmarshalMap(out.Item, &it); err != nil {
		return mailing.Creation{}, false, fmt.Errorf("decode what a request has created: %w", err)
	}
	switch {
	case !s.now().Before(fromMillis(it.Until)):
		return mailing.Creation{}, false, nil
	case it.Request != o.Request:
		return mailing.Creation{}, false, mailing.OtherRequest()
	}
	c, err := s.creationOf(out.Item)
	return c, err == nil, err
}

func (s *Store) creationOf(record item) (mailing.Creation, error) {
	for _, kind := range []string{createdClient, createdMailing, createdTest} {
		created, ok := record[kind].(*types.AttributeValueMemberM)
		if !ok {
			continue
		}
		switch kind {
		case createdClient:
			c, err := decodeClient(created.Value)
			return mailing.Creation{Client: &c}, err
		case createdMailing:
			m, err := decodeMailing(created.Value)
			return mailing.Creation{Mailing: &m}, err
		default:
			m, err := s.testOf(created.Value)
			return mailing.Creation{Test: &m}, err
		}
	}
	return mailing.Creation{}, errors.New("decode what a request has created: it is nothing")
}

// once is the action that writes down what a request creates, none if it did
// not ask for that. It is refused if there is such a record already.
func (s *Store) once(o mailing.Once, kind string, created item) ([]types.TransactWriteItem, error) {
	if !o.Asked() {
		return nil, nil
	}
	record, err := attributevalue.MarshalMap(onceItem{Request: o.Request, Until: toMillis(o.Until), TTL: o.Until.Unix()})
	if err != nil {
		return nil, fmt.Errorf("encode what a request creates: %w", err)
	}
	maps.Copy(record, onceKey(o))
	record[kind] = &types.AttributeValueMemberM{Value: created}
	return []types.TransactWriteItem{{Put: &types.Put{
		TableName: &s.tables.Batches, Item: record,
		ConditionExpression:       aws.String("attribute_not_exists(#id) OR #until <= :now"),
		ExpressionAttributeNames:  map[string]string{"#id": sortKey, "#until": "until"},
		ExpressionAttributeValues: item{":now": millis(s.now())},
	}}}, nil
}

// createdBefore reports whether a transaction was refused because the request has
// created what it asks for already. Its record is the last action.
func createdBefore(o mailing.Once, err error, items []types.TransactWriteItem) bool {
	actions, ok := refused(err)
	return ok && o.Asked() && slices.Contains(actions, len(items)-1)
}
