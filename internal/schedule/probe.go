package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"postrider/internal/mailing"
)

const (
	// probeBatches is the number of batches that a sweep queues for a probe of the sending
	// API. One batch is not enough, because it may have no message that can be sent.
	probeBatches = 3
	// probeLists is the maximum number of lists that are read to find these batches. A
	// list holds the due batches of one slice of a mailing. The sweep of the next minute
	// begins probeStep lists further on. So sweeps read all lists after some time, even if
	// there are more than probeLists.
	probeLists = 64
	probeStep  = 61
	// sweepEvery is the interval at which the rule wakes the scheduler.
	sweepEvery = time.Minute
)

// probe queues a few batches while the sending API is down and a probe is due before the
// next sweep. It takes from each list the first batch that may be claimed, and chooses the
// batches with the earliest due_at. All other batches wait until a probe has found that
// the API works. A batch that was used for a probe is due later than the others. So probes
// take different batches in turn.
func (s *Scheduler) probe(ctx context.Context, live []mailing.Mailing, o mailing.Outage, now time.Time) error {
	delay := max(0, o.ProbeAt.Sub(now)+time.Second)
	if o.ProbeDue(now) {
		delay = 0
	}
	if !o.Down() || delay > sweepEvery {
		return nil
	}
	var found []mailing.Due
	lists := len(live) * mailing.Slices
	first := int(now.Unix() / int64(sweepEvery.Seconds()) * probeStep % int64(lists))
	for n := range min(lists, probeLists) {
		at := (first + n) % lists
		m, slice := live[at/mailing.Slices], at%mailing.Slices
		if m.Status != mailing.StatusRunning || m.Closed(now) {
			continue
		}
		err := s.store.Due(ctx, m.ID, slice, time.Time{}, func(rows []mailing.Due) (more bool, err error) {
			for _, row := range rows {
				if !row.LeaseUntil.After(now) && !row.NotBefore.After(now.Add(delay)) {
					found = append(found, row)
					return false, nil
				}
			}
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.SortFunc(found, func(a, b mailing.Due) int { return a.DueAt.Compare(b.DueAt) })
	var keys []mailing.BatchKey
	for _, row := range found[:min(len(found), probeBatches)] {
		keys = append(keys, row.Key)
	}
	slog.InfoContext(ctx, "batches queued to probe the sending API", "batches", len(keys), "down_since", o.Since)
	if err := s.deliveries.Queue(ctx, keys, delay); err != nil {
		return fmt.Errorf("probe the sending API: %w", err)
	}
	return nil
}
