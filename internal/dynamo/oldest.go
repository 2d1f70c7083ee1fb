package dynamo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

// Bounds of looking for what has waited longest.
const (
	oldestSlices  = 64
	oldestBatches = 10
)

// OldestWaiting is since when the batch has waited that could be sent and has
// waited longest, the zero time if none waits. It looks at the batches that are
// due first of each slice, of the oldest mailings that run, at most 64 slices.
func (s *Store) OldestWaiting(ctx context.Context) (time.Time, error) {
	parts, err := s.waitingSlices(ctx)
	if err != nil {
		return time.Time{}, err
	}
	var (
		mu     sync.Mutex
		oldest time.Time
	)
	now := s.now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readConcurrency)
	for _, p := range parts {
		group.Go(func() error {
			rows, err := s.firstDue(ctx, p.Mailing, p.Slice)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for _, row := range rows {
				if since, ok := row.WaitingSince(now); ok && (oldest.IsZero() || since.Before(oldest)) {
					oldest = since
				}
			}
			return nil
		})
	}
	return oldest, group.Wait()
}

// waitingSlices are slices of running mailings that have anything pending.
func (s *Store) waitingSlices(ctx context.Context) ([]mailing.Task, error) {
	live, err := s.Live(ctx)
	if err != nil {
		return nil, err
	}
	var ids []mailing.MailingID
	for _, m := range live {
		if m.Status == mailing.StatusRunning && len(ids) < oldestSlices {
			ids = append(ids, m.ID)
		}
	}
	states, err := s.Slices(ctx, ids)
	if err != nil {
		return nil, err
	}
	var parts []mailing.Task
	for _, id := range ids {
		for slice, state := range states[id] {
			if state.Counts.Pending() > 0 && len(parts) < oldestSlices {
				parts = append(parts, mailing.Task{Mailing: id, Slice: slice})
			}
		}
	}
	return parts, nil
}

// firstDue are the batches of a slice that are due first.
func (s *Store) firstDue(ctx context.Context, id mailing.MailingID, slice int) ([]mailing.Due, error) {
	found, err := s.walk(ctx, walk{
		table: s.tables.Batches, index: dueIndex, key: partitionAfter(partKey, batchPart(id, slice), ""), limit: oldestBatches, pages: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("look at what is due of mailing %d slice %d: %w", id, slice, err)
	}
	rows := make([]mailing.Due, 0, len(found.items))
	for _, it := range found.items {
		// What cannot be read is told by the sweep; here it must not hide the rest.
		if row, err := decodeDue(it); err == nil {
			rows = append(rows, row)
		}
	}
	return rows, nil
}
