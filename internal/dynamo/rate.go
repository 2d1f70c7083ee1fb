package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// The rate is counted in one item per mailing and ten seconds. It is for people
// to look at: a count that is lost or repeated changes no statistic.
const (
	rateBucket  = 10 * time.Second
	rateBuckets = 6
	rateTTL     = 10 * time.Minute
	outcomesTTL = 7 * 24 * time.Hour
)

func rateKey(id mailing.MailingID, bucket int64) item {
	return key(fmt.Sprintf("%d#rate", id), fmt.Sprintf("%012d", bucket))
}

func bucketAt(t time.Time) int64 { return t.Unix() / int64(rateBucket/time.Second) }

// CountSent adds n messages, sent just now, to the rate of a mailing.
func (s *Store) CountSent(ctx context.Context, id mailing.MailingID, n int64) error {
	now := s.now()
	_, err := s.api.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.tables.Batches, Key: rateKey(id, bucketAt(now)),
		UpdateExpression:         aws.String("SET #ttl = :ttl ADD #sent :n"),
		ExpressionAttributeNames: map[string]string{"#ttl": "ttl", "#sent": "sent"},
		ExpressionAttributeValues: item{
			":ttl": num(now.Add(rateTTL).Unix()), ":n": num(n),
		},
	})
	if err != nil {
		return fmt.Errorf("count %d sent messages of mailing %d: %w", n, id, err)
	}
	return nil
}

// Rate is how many messages a second a mailing has sent over the last minute,
// to ten seconds exact.
func (s *Store) Rate(ctx context.Context, id mailing.MailingID) (float64, error) {
	now := s.now()
	keys := make([]item, 0, rateBuckets+1)
	for n := range int64(rateBuckets + 1) {
		keys = append(keys, rateKey(id, bucketAt(now)-n))
	}
	items, err := s.batchGet(ctx, s.tables.Batches, keys, false)
	if err != nil {
		return 0, fmt.Errorf("read the rate of mailing %d: %w", id, err)
	}
	var sent int64
	for _, it := range items {
		n, err := number(it, "sent")
		if err != nil {
			return 0, err
		}
		sent += n
	}
	begun := time.Unix((bucketAt(now)-rateBuckets)*int64(rateBucket/time.Second), 0)
	return float64(sent) / now.Sub(begun).Seconds(), nil
}

// CountOutcomes adds outcomes to the window of a mailing that began at an
// instant, and returns the window's outcomes. A full window is the end of it:
// what is counted next is in a new one.
func (s *Store) CountOutcomes(ctx context.Context, id mailing.MailingID, began time.Time, o mailing.Outcomes) (mailing.Outcomes, error) {
	window := key(fmt.Sprintf("%d#rate", id), fmt.Sprintf("outcomes#%d", toMillis(began)))
	out, err := s.api.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.tables.Batches, Key: window,
		UpdateExpression:         aws.String("SET #ttl = :ttl ADD #sent :sent, #rejected :rejected"),
		ExpressionAttributeNames: map[string]string{"#ttl": ttlAttr, "#sent": "sent", "#rejected": "rejected"},
		ExpressionAttributeValues: item{
			":ttl": num(s.now().Add(outcomesTTL).Unix()), ":sent": num(o.Sent), ":rejected": num(o.Rejected),
		},
		ReturnValues: types.ReturnValueAllNew,
	})
	if err != nil {
		return o, fmt.Errorf("count %d outcomes of mailing %d: %w", o.Total(), id, err)
	}
	sent, sentErr := number(out.Attributes, "sent")
	rejected, rejectedErr := number(out.Attributes, "rejected")
	all := mailing.Outcomes{Sent: sent, Rejected: rejected}
	if err := errors.Join(sentErr, rejectedErr); err != nil || !all.Full() {
		return all, err
	}
	// Another sender that has counted since then ends the window itself.
	_, err = s.api.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.tables.Batches, Key: window,
		ConditionExpression:       aws.String("#sent = :sent AND #rejected = :rejected"),
		UpdateExpression:          aws.String("REMOVE #sent, #rejected"),
		ExpressionAttributeNames:  map[string]string{"#sent": "sent", "#rejected": "rejected"},
		ExpressionAttributeValues: item{":sent": num(sent), ":rejected": num(rejected)},
	})
	if _, ok := refused(err); err != nil && !ok {
		return all, fmt.Errorf("end a window of outcomes of mailing %d: %w", id, err)
	}
	return all, nil
}
