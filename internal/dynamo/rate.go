package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// The rate is counted in one item per mailing and ten seconds. It is only for display:
// a lost or repeated count changes no statistic. outcomesTTL is how long a window of
// outcomes is kept.
const (
	rateBucket  = 10 * time.Second
	rateBuckets = 6
	rateTTL     = 10 * time.Minute
	outcomesTTL = 7 * 24 * time.Hour
)

// rateKey returns the key of the item that counts one bucket of a mailing.
func rateKey(id mailing.ID, bucket int64) item {
	return key(fmt.Sprintf("%d#rate", id), fmt.Sprintf("%012d", bucket))
}

// bucketAt returns the number of the bucket at t: ten seconds each, from 1970 on.
func bucketAt(t time.Time) int64 { return t.Unix() / int64(rateBucket/time.Second) }

// CountSent adds n messages that were sent just now to the rate of a mailing.
func (s *Store) CountSent(ctx context.Context, id mailing.ID, n int64) error {
	now := s.now()
	_, err := s.update(ctx, update{
		table: s.tables.Batches, key: rateKey(id, bucketAt(now)), change: "SET #ttl = :ttl ADD #sent :n",
		values: item{":ttl": num(now.Add(rateTTL).Unix()), ":n": num(n)},
	}, "count %d sent messages of mailing %d", n, id)
	return err
}

// Rate returns how many messages a second a mailing has sent over the last minute. The
// period begins with a bucket, so it is 60 to 70 seconds long.
func (s *Store) Rate(ctx context.Context, id mailing.ID) (float64, error) {
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

// CountOutcomes adds o to the outcomes of a mailing that all senders count together, in
// a window of [mailing.RejectionWindow] outcomes. began is the last resume of the
// mailing, or the zero time. CountOutcomes returns the outcomes of the window,
// including those of other senders. A full window is closed: later outcomes go into a
// new window.
func (s *Store) CountOutcomes(ctx context.Context, id mailing.ID, began time.Time, o mailing.Outcomes) (mailing.Outcomes, error) {
	window := key(fmt.Sprintf("%d#rate", id), fmt.Sprintf("outcomes#%d", toMillis(began)))
	in := update{
		table: s.tables.Batches, key: window, change: "SET #ttl = :ttl ADD #sent :sent, #rejected :rejected",
		values: item{":ttl": num(s.now().Add(outcomesTTL).Unix()), ":sent": num(o.Sent), ":rejected": num(o.Rejected)},
	}.input()
	in.ReturnValues = types.ReturnValueAllNew
	out, err := s.api.UpdateItem(ctx, in)
	if err != nil {
		return o, fmt.Errorf("count %d outcomes of mailing %d: %w", o.Total(), id, err)
	}
	sent, sentErr := number(out.Attributes, "sent")
	rejected, rejectedErr := number(out.Attributes, "rejected")
	all := mailing.Outcomes{Sent: sent, Rejected: rejected}
	// A window that is not full stays open.
	if err := errors.Join(sentErr, rejectedErr); err != nil || !all.Full() {
		return all, err
	}
	// If another sender has added outcomes since, the condition fails, and that sender
	// closes the window.
	_, err = s.update(ctx, update{
		table: s.tables.Batches, key: window, change: "REMOVE #sent, #rejected",
		condition: "#sent = :sent AND #rejected = :rejected",
		values:    item{":sent": num(sent), ":rejected": num(rejected)},
	}, "end a window of outcomes of mailing %d", id)
	return all, err
}
