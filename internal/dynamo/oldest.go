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

// oldestPages is how many pages of pending batches are read to find the oldest one. A
// row of the index takes about 110 bytes, so a page of 1 MB holds about 9,000 batches:
// 25 pages are eleven million messages.
const oldestPages = 25

// OldestWaiting returns the instant since which the oldest waiting batch has waited. A
// batch of a running mailing waits if a sender could claim it now. OldestWaiting
// returns the zero time if no batch waits.
//
// It looks at all pending batches, because due_at does not show which batch has waited
// longest: due_at moves on while a batch waits. The index holds only pending batches.
// So the scan takes one call for each half a million messages or part of them, whatever
// the number of running mailings.
//
// known is false if more than [oldestPages] pages are pending and no batch on the pages
// that were read waits.
func (s *Store) OldestWaiting(ctx context.Context) (since time.Time, known bool, err error) {
	running, err := s.running(ctx)
	if err != nil || len(running) == 0 {
		return time.Time{}, err == nil, err
	}
	now := s.now()
	pages := dynamodb.NewScanPaginator(s.api, &dynamodb.ScanInput{
		TableName: &s.tables.Batches, IndexName: aws.String(dueIndex),
		// With this filter DynamoDB returns only batches that could be claimed. The
		// index does not show whether their mailing is running.
		FilterExpression: aws.String(claimable), ExpressionAttributeNames: names(claimable),
		ExpressionAttributeValues: item{":now": millis(now)},
	})
	for n := 0; n < oldestPages && pages.HasMorePages(); n++ {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return time.Time{}, false, fmt.Errorf("look for the batch that has waited longest: %w", err)
		}
		for _, it := range page.Items {
			row, err := decodeDue(it)
			if err != nil {
				// One broken row must not hide the others.
				slog.WarnContext(ctx, "due batch cannot be read", "error", err)
				continue
			}
			if began, ok := row.WaitingSince(now); ok && running[row.Key.Mailing] && (since.IsZero() || began.Before(since)) {
				since = began
			}
		}
	}
	return since, !since.IsZero() || !pages.HasMorePages(), nil
}

// running returns the ids of the running mailings.
func (s *Store) running(ctx context.Context) (map[mailing.ID]bool, error) {
	live, err := s.Live(ctx)
	if err != nil {
		return nil, err
	}
	running := map[mailing.ID]bool{}
	for _, m := range live {
		if m.Status == mailing.StatusRunning {
			running[m.ID] = true
		}
	}
	return running, nil
}
