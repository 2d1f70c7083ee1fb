package dynamo

import (
	"context"
	"errors"
	"fmt"

	"postrider/internal/mailing"
)

// Overall returns the sums over all mailings that are not deleted, or over those of one
// status.
//
// Each mailing is in the sum once, either as a live one or in the totals of finished
// mailings. A mailing could move from one to the other between the two reads. So the
// totals are read before and after the live mailings; if they changed, the sum is
// discarded and computed again. The counts of a live mailing are those of a single read
// during the call.
func (s *Store) Overall(ctx context.Context, status mailing.Status) (mailing.Overall, error) {
	before, err := s.Totals(ctx)
	if err != nil {
		return mailing.Overall{}, err
	}
	var sum mailing.Overall
	done, err := s.repeat(ctx, retryTries, func() (bool, error) {
		live, progress, err := s.liveProgress(ctx)
		if err != nil {
			return false, err
		}
		after, err := s.Totals(ctx)
		if err != nil {
			return false, err
		}
		same := before.Changes == after.Changes
		// This reading of the totals is the first one of the next try.
		sum, before = sumUp(status, live, progress, after), after
		return same, nil
	})
	if !done && err == nil {
		err = errors.New("the totals of finished mailings changed during each try")
	}
	if err != nil {
		return mailing.Overall{}, fmt.Errorf("sum up all mailings: %w", err)
	}
	return sum, nil
}

// liveProgress returns the mailings that are not finished, and the progress of each in
// the same order.
func (s *Store) liveProgress(ctx context.Context) ([]mailing.Mailing, []mailing.Progress, error) {
	live, err := s.Live(ctx)
	if err != nil {
		return nil, nil, err
	}
	progress, err := s.Progress(ctx, live)
	return live, progress, err
}

// sumUp adds the live mailings to the totals of finished ones. An empty status means
// all statuses. A deleted mailing that is still live counts nowhere.
func sumUp(status mailing.Status, live []mailing.Mailing, progress []mailing.Progress, finished Totals) mailing.Overall {
	o := mailing.Overall{Mailings: map[mailing.Status]int64{}}
	for _, each := range mailing.Statuses {
		if status == "" || each == status {
			o.Mailings[each] = finished.Mailings[each]
			o.Totals = o.Totals.Plus(finished.Counts[each])
		}
	}
	for i, m := range live {
		if m.Deleted || (status != "" && m.Status != status) {
			continue
		}
		o.Mailings[m.Status]++
		o.Totals = o.Totals.Plus(progress[i].Counts)
	}
	return o
}
