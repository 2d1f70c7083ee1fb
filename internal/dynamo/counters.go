package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// A counter's attributes: the id given out last, and of mailings the first one,
// too. A counter of an older table has no first one: it is 1.
const (
	lastAttr  = "last"
	firstAttr = "first"
)

// WithFirstMailing sets the id that the first mailing has in tables that are new,
// 1 to [mailing.MaxFirstMailingID]; the first test message has 1 then. Without it,
// or with 0, both are drawn.
func WithFirstMailing(id mailing.MailingID) Option {
	return func(s *Store) { s.firstMailing = id }
}

// beginning returns an id for the first mailing. The one that is written with the
// counter is the deployment's.
func (s *Store) beginning() mailing.MailingID {
	if s.firstMailing > 0 {
		return s.firstMailing
	}
	return 1 + rand.N(mailing.MaxFirstMailingID) //nolint:gosec // G404: it must differ, not be secret
}

// counted is the counter's part in the creation of a mailing: it moves from the
// last id to this one, or is made with it as the first.
func (s *Store) counted(id mailing.MailingID, last int64) *types.Update {
	u := &types.Update{
		TableName: &s.tables.Mailings, Key: counterKey(),
		ConditionExpression:                 aws.String("#last = :seen"),
		UpdateExpression:                    aws.String("SET #last = :id"),
		ExpressionAttributeNames:            map[string]string{"#last": lastAttr},
		ExpressionAttributeValues:           item{":seen": num(last), ":id": num(id)},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if last == 0 {
		u.ConditionExpression = aws.String("attribute_not_exists(#last) OR #last = :seen")
		u.UpdateExpression = aws.String("SET #last = :id, #first = :id")
		u.ExpressionAttributeNames["#first"] = firstAttr
	}
	return u
}

// counterOf is the counter as a refused creation found it.
func counterOf(err error) (int64, error) {
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) || len(cancelled.CancellationReasons) == 0 {
		return 0, err
	}
	return number(cancelled.CancellationReasons[0].Item, lastAttr)
}

// givenOut returns the ids that mailings have: from first to last, which is 0 if
// there are none.
func (s *Store) givenOut(ctx context.Context) (first, last mailing.MailingID, err error) {
	out, err := s.api.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.tables.Mailings, Key: counterKey(), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return 0, 0, fmt.Errorf("read the ids of mailings: %w", err)
	}
	from, err := number(out.Item, firstAttr)
	if err != nil {
		return 0, 0, err
	}
	to, err := number(out.Item, lastAttr)
	bounded := func(id int64) mailing.MailingID {
		return mailing.MailingID(min(id, int64(mailing.MaxMailingID))) //nolint:gosec // G115: bounded
	}
	return bounded(max(from, 1)), bounded(to), err
}

// nextTest gives the next test message its id. The first one is drawn once: what
// is stored counts.
func (s *Store) nextTest(ctx context.Context) (int64, error) {
	before := mailing.ClientID(0)
	if s.firstMailing == 0 {
		before = rand.N(mailing.MaxFirstTestID) //nolint:gosec // G404: it must differ, not be secret
	}
	out, err := s.api.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.tables.Mailings, Key: testCounterKey(),
		UpdateExpression:          aws.String("SET #last = if_not_exists(#last, :before) + :one"),
		ExpressionAttributeNames:  map[string]string{"#last": lastAttr},
		ExpressionAttributeValues: item{":before": num(before), ":one": num(1)},
		ReturnValues:              types.ReturnValueUpdatedNew,
	})
	if err != nil {
		return 0, err
	}
	return number(out.Attributes, lastAttr)
}
