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

// outageItem is the single item about the state of the sending API.
type outageItem struct {
	Version int64 `dynamodbav:"version"`
	Since   int64 `dynamodbav:"since,omitempty"`
	ProbeAt int64 `dynamodbav:"probe_at,omitempty"`
	Probes  int   `dynamodbav:"probes,omitempty"`
	Ended   int64 `dynamodbav:"ended,omitempty"`
}

// outageKey returns the key of that item in the table of mailings.
func outageKey() item { return key("provider", "outage") }

// Outage returns the known state of the sending API, strongly consistent. If nothing is
// stored, that is the zero [mailing.Outage].
func (s *Store) Outage(ctx context.Context) (mailing.Outage, error) {
	out, err := s.api.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.tables.Mailings, Key: outageKey(), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return mailing.Outage{}, fmt.Errorf("read the state of the sending API: %w", err)
	}
	var it outageItem
	if err := attributevalue.UnmarshalMap(out.Item, &it); err != nil {
		return mailing.Outage{}, fmt.Errorf("decode the state of the sending API: %w", err)
	}
	return mailing.Outage{
		Version: it.Version, Since: fromMillis(it.Since), ProbeAt: fromMillis(it.ProbeAt), Probes: it.Probes, Ended: fromMillis(it.Ended),
	}, nil
}

// SaveOutage replaces seen by next. It reports false, and writes nothing, if the stored
// version is no longer that of seen. So only one of several senders that saw the same
// state changes it.
func (s *Store) SaveOutage(ctx context.Context, seen, next mailing.Outage) (bool, error) {
	encoded, err := attributevalue.MarshalMap(outageItem{
		Version: next.Version, Since: toMillis(next.Since), ProbeAt: toMillis(next.ProbeAt), Probes: next.Probes, Ended: toMillis(next.Ended),
	})
	if err != nil {
		return false, fmt.Errorf("encode the state of the sending API: %w", err)
	}
	for name, value := range outageKey() {
		encoded[name] = value
	}
	put := &types.Put{
		TableName: &s.tables.Mailings, Item: encoded,
		ConditionExpression:      aws.String("attribute_not_exists(#version)"),
		ExpressionAttributeNames: map[string]string{"#version": versionAttr},
	}
	// Version 0 is the state before the first outage: there is no item yet.
	if seen.Version != 0 {
		put.ConditionExpression, put.ExpressionAttributeValues = aws.String("#version = :seen"), item{":seen": num(seen.Version)}
	}
	// One write is a transaction because of its token: if an answer is lost, the
	// repetition is not refused by the write of the first try.
	err = s.transact(ctx, "write the state of the sending API", []types.TransactWriteItem{{Put: put}})
	if _, ok := refused(err); ok {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("write the state of the sending API: %w", err)
	}
	return true, nil
}
