package dynamo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// idempotencyItem is the record of a request with an idempotency key. It is in the
// table of batches because that table has a time to live. One more attribute holds the
// object that the request created, as it was at that time. Its name is the kind of the
// object, for example createdClient.
type idempotencyItem struct {
	// Request is a hash of the content of the request. Until is when the record
	// expires, in milliseconds since 1970. Until is stored beside TTL because DynamoDB
	// removes items up to some days after their TTL.
	Request string `dynamodbav:"request"`
	Until   int64  `dynamodbav:"until"`
	TTL     int64  `dynamodbav:"ttl"`
}

// These are the kinds of objects that a request can create.
const (
	createdClient  = "client"
	createdMailing = "mailing"
	createdTest    = "test"
)

// idempotencySort is the sort key of a record, which is the only item in its partition.
const idempotencySort = "once"

// idempotencyKey returns the key of the record of a request.
func idempotencyKey(o mailing.Idempotency) item { return key("once#"+o.Key, idempotencySort) }

// Created returns the object that an earlier request with the same idempotency key
// created. It returns false if there was no such request, or its record has expired. If
// the content of that request was different, the error is a [mailing.KindInvalid].
func (s *Store) Created(ctx context.Context, o mailing.Idempotency) (mailing.Creation, bool, error) {
	record, err := s.get(ctx, s.tables.Batches, idempotencyKey(o), "read an idempotency record")
	if err != nil || record == nil {
		return mailing.Creation{}, false, err
	}
	var it idempotencyItem
	if err := attributevalue.UnmarshalMap(record, &it); err != nil {
		return mailing.Creation{}, false, fmt.Errorf("decode an idempotency record: %w", err)
	}
	switch {
	case !s.now().Before(fromMillis(it.Until)):
		return mailing.Creation{}, false, nil
	case it.Request != o.Request:
		return mailing.Creation{}, false, mailing.OtherRequest()
	}
	c, err := s.creationOf(record)
	return c, err == nil, err
}

// creationOf decodes the created object that a record holds.
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
	return mailing.Creation{}, errors.New("decode an idempotency record: it has no created object")
}

// idempotencyItems returns the action that stores the record of a request, with the
// object that the request creates. It returns no action if the request has no
// idempotency key. While an unexpired record exists, DynamoDB refuses the action, and
// the whole transaction with it. So concurrent requests create one object.
func (s *Store) idempotencyItems(o mailing.Idempotency, kind string, created item) ([]types.TransactWriteItem, error) {
	if !o.HasKey() {
		return nil, nil
	}
	record, err := attributevalue.MarshalMap(idempotencyItem{Request: o.Request, Until: toMillis(o.Until), TTL: o.Until.Unix()})
	if err != nil {
		return nil, fmt.Errorf("encode an idempotency record: %w", err)
	}
	maps.Copy(record, idempotencyKey(o))
	record[kind] = &types.AttributeValueMemberM{Value: created}
	// A record that has expired, but that DynamoDB has not removed yet, is replaced.
	return []types.TransactWriteItem{
		put(s.tables.Batches, record, isNew+" OR #until <= :now", item{":now": millis(s.now())}),
	}, nil
}

// createdBefore reports whether a transaction was refused because a request with the
// same idempotency key has created its object already. The record must be the last of
// items.
func createdBefore(o mailing.Idempotency, err error, items []types.TransactWriteItem) bool {
	actions, ok := refused(err)
	return ok && o.HasKey() && slices.Contains(actions, len(items)-1)
}
