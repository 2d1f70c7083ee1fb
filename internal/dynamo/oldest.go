package dynamo

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"postrider/internal/mailing"
)

// oldestPages is how many pages of what is pending are looked at for what has
// waited longest. A row of the index takes some 110 bytes, so a page of 1 MB holds
// some 9,000 batches: these are eleven million messages.
const oldestPages = 25

// OldestWaiting is since when the batch has waited that could be sent and has
// waited longest, of the mailings that run; the zero time if none waits. It looks
// at all that is pending: which batch has waited longest cannot be told by when
// it is due, which moves on as it waits. The index holds nothing else, so this
// takes one call for each half a million messages or part of them, however many
// mailings run. known is false where more than [oldestPages] is pending, and none
// of what was looked at waits.
func (s *Store) OldestWaiting(ctx context.Context) (since time.Time, known bool, err error) {
	running, err := s.running(ctx)
	if err != nil || len(running) == 0 {
		return time.Time{}, err == nil, err
	}
	now := s.now()
	pages := dynamodb.NewScanPaginator(s.api, &dynamodb.ScanInput{
		TableName: &s.tables.Batches, IndexName: aws.String(dueIndex),
		FilterExpression:          aws.String(claimable),
		ExpressionAttributeNames:  claimableNames(),
		ExpressionAttributeValues: item{":now": millis(now)},
	})
	for n := 0; n < oldestPages && pages.HasMorePages(); n++ {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return time.Time{}, false, fmt.Errorf("look for what has waited longest: %w", err)
		}
		for _, it := range page.Items {
			row, err := decodeDue(it)
			if err != nil {
				// It must not hide the rest.
				slog.WarnContext(ctx, "a batch that is due cannot be read", "error", err)
				continue
			}
			if began, ok := row.WaitingSince(now); ok && running[row.Key.Mailing] && (since.IsZero() || began.Before(since)) {
				since = began
			}
		}
	}
	return since, !since.IsZero() || !pages.HasMorePages(), nil
}

// running are the mailings that run.
func (s *Store) running(ctx context.Context) (map[mailing.MailingID]bool, error) {
	live, err := s.Live(ctx)
	if err != nil {
		return nil, err
	}
	running := map[mailing.MailingID]bool{}
	for _, m := range live {
		if m.Status == mailing.StatusRunning {
			running[m.ID] = true
		}
	}
	return running, nil
}
