package schedule_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/dynamo"
	"postrider/internal/mailing"
	"postrider/internal/schedule"
)

// tallies holds the numbers of written messages that the meter received, one entry for
// each invocation.
type tallies [][]mailing.Counts

func (ts *tallies) Expanded(wrote []mailing.Counts) { *ts = append(*ts, wrote) }
func (ts *tallies) Swept(bool)                      {}

// crowd is a store that invents n clients for the audience of slice 0.
type crowd struct {
	*dynamo.Store

	n int
}

func (c crowd) Audience(_ context.Context, slice int, _ mailing.Filter, _ time.Time, after mailing.ClientID, limit int) (clients []mailing.Client, next mailing.ClientID, done bool, err error) {
	for len(clients) < limit {
		after += mailing.Slices
		if slice != 0 || int(after) > c.n*mailing.Slices {
			return clients, after, true, nil
		}
		clients = append(clients, mailing.Client{ID: after, Timezone: "UTC"})
	}
	return clients, after, false, nil
}

// metered does the task of slice 0 with n clients, and returns what the meter received.
func (w *world) metered(n int) tallies {
	w.t.Helper()
	var got tallies
	s := schedule.New(crowd{w.store, n}, &w.deliveries, &w.tasks, w.clock, schedule.WithMeter(&got))
	for _, err := range s.Do(w.t.Context(), []mailing.Task{{Mailing: w.mailing.ID}}) {
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return got
}

func TestOnlyTheFirstBatchOfASliceStoresTheStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.metered(mailing.PageSize + 1)
	n := int64(mailing.PageSize + 1)
	if diff := cmp.Diff(tallies{{{Total: n, Queued: n}}}, got); diff != "" {
		t.Errorf("got (-want +got):\n%s", diff)
	}
	batches := w.batches()
	if last := batches[len(batches)-1].Key.Batch.First; last == batches[0].Key.Batch.First {
		t.Fatalf("all %d batches are of one page", len(batches))
	}
	for i, b := range batches {
		want := time.Time{}
		if i == 0 {
			want = monday
		}
		if !b.StartedAt.Equal(want) {
			t.Errorf("batch %d of %d: due since %s", i, len(batches), b.StartedAt)
		}
	}
}

func TestAMessageThatEndsAtItsExpansionIsCountedByItsStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clock.Advance(24 * time.Hour)
	if diff := cmp.Diff(tallies{{{Total: 60, Expired: 60}}}, w.metered(60)); diff != "" {
		t.Errorf("expanded after the end (-want +got):\n%s", diff)
	}
	if again := w.metered(60); again != nil {
		t.Errorf("the task is repeated: got %+v", again)
	}
}
