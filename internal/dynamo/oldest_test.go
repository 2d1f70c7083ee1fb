package dynamo_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

func oldest(t *testing.T, s *dynamo.Store) time.Time {
	t.Helper()
	since, known, err := s.OldestWaiting(t.Context())
	if err != nil || !known {
		t.Fatal(known, err)
	}
	return since
}

// waits stores a running mailing with one batch in a slice. The batch is due at noon,
// unless how changes it.
func waits(t *testing.T, s *dynamo.Store, slice int, how func(*mailing.Batch)) mailing.Mailing {
	t.Helper()
	m := newMailing(t, s, noon.Add(-5*time.Hour))
	id := mailing.ClientID(mailing.Slices + slice)
	b := mailing.Batch{
		Key: mailing.BatchKey{Mailing: m.ID, Slice: slice, Batch: mailing.BatchID{First: id}}, CreatedAt: noon.Add(-4 * time.Hour),
		Recipients: []mailing.Recipient{{Client: id, Status: mailing.Retrying, At: noon}}, DueAt: noon,
	}
	if how != nil {
		how(&b)
	}
	p := mailing.Page{Mailing: m.ID, Slice: slice, Next: id, Done: true, Batches: []mailing.Batch{b}, Counts: mailing.CountRecipients(b.Recipients)}
	if written, err := s.WritePage(t.Context(), m, p); err != nil || !written {
		t.Fatal(written, err)
	}
	return m
}

func TestABatchWaitsSinceItCouldBeClaimed(t *testing.T) {
	t.Parallel()
	created := noon.Add(-4 * time.Hour)
	tests := []struct {
		name string
		how  func(*mailing.Batch)
		want time.Time
	}{
		{"queued at its creation", nil, created},
		{"put off until an hour ago", func(b *mailing.Batch) { b.NotBefore = noon.Add(-time.Hour) }, noon.Add(-time.Hour)},
		{"put off until now", func(b *mailing.Batch) { b.NotBefore = noon }, noon},
		{"put off until later", func(b *mailing.Batch) { b.NotBefore = noon.Add(time.Millisecond) }, time.Time{}},
		{"held", func(b *mailing.Batch) { b.Holder, b.LeaseUntil = "me", noon.Add(time.Millisecond) }, time.Time{}},
		{"its sender was killed", func(b *mailing.Batch) { b.Holder, b.LeaseUntil = "killed", noon }, created},
		{"settled", func(b *mailing.Batch) { b.Recipients[0].Status, b.DueAt = mailing.Sent, time.Time{} }, time.Time{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := dynamotest.Store(t, atNoon())
			waits(t, s, 3, test.how)
			if got := oldest(t, s); !got.Equal(test.want) {
				t.Errorf("it waits since %s, want %s", got, test.want)
			}
		})
	}
}

func TestTheOldestBatchOfTheRunningMailingsIsFound(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	if got := oldest(t, s); !got.IsZero() {
		t.Errorf("without a mailing something waits since %s", got)
	}
	since := func(ago time.Duration) func(*mailing.Batch) {
		return func(b *mailing.Batch) { b.NotBefore = noon.Add(-ago) }
	}
	waits(t, s, 3, since(time.Minute))
	waits(t, s, 0, since(time.Hour))
	waits(t, s, 15, since(time.Second))
	// Batches of a paused or cancelled mailing do not count as waiting.
	for _, how := range []func(mailing.Mailing) (mailing.Mailing, error){
		func(m mailing.Mailing) (mailing.Mailing, error) { return m.Paused(noon) },
		func(m mailing.Mailing) (mailing.Mailing, error) { return m.Cancelled(noon) },
	} {
		change(t, s, waits(t, s, 3, since(3*time.Hour)).ID, how)
	}
	if got := oldest(t, s); !got.Equal(noon.Add(-time.Hour)) {
		t.Errorf("it waits since %s", got)
	}
}

// The due_at of a batch that waits moves on. So held batches can come before it in the
// index.
func TestTheOldestBatchIsFoundAfterHeldOnes(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	m := newMailing(t, s, noon.Add(-5*time.Hour))
	batches := make([][]mailing.Recipient, 30)
	for i, id := range inSlice(3, len(batches)) {
		batches[i] = []mailing.Recipient{queuedTo(id)}
	}
	keys := writeSlice(t, s, m, 3, batches...)
	for _, b := range keys[1:] {
		mustClaim(t, s, b.Key, "me", noon, noon.Add(-time.Second).Add(time.Minute))
	}
	if moved, err := s.Postpone(t.Context(), mailing.Due{Key: keys[0].Key, DueAt: noon}, noon.Add(time.Hour), false); err != nil || !moved {
		t.Fatal(moved, err)
	}
	if got := oldest(t, s); !got.Equal(noon) {
		t.Errorf("it waits since %s", got)
	}
}

// everySlice stores a running mailing with one batch in each slice. The batches have
// waited since the instant since.
func everySlice(t *testing.T, s *dynamo.Store, since time.Time) {
	t.Helper()
	m := newMailing(t, s, noon)
	var to []mailing.ClientID
	for slice := range mailing.Slices {
		to = append(to, mailing.ClientID(mailing.Slices+slice))
	}
	expand(t, s, m, since, to, 10, 10, everyone(mailing.Queued))
}

func TestTheOldestBatchIsFoundInWhicheverMailingForThreeCalls(t *testing.T) {
	t.Parallel()
	const many = 12
	for _, at := range []int{0, 4, many - 1} {
		t.Run(fmt.Sprintf("mailing %d", at+1), func(t *testing.T) {
			t.Parallel()
			e := dynamotest.Start(t)
			for n := range many {
				since := noon.Add(-time.Minute)
				if n == at {
					since = noon.Add(-3 * time.Hour)
				}
				everySlice(t, e.Store(atNoon()), since)
			}
			faults := dynamotest.NewFaults(e.Client)
			if got := oldest(t, e.StoreOver(faults, atNoon())); !got.Equal(noon.Add(-3 * time.Hour)) {
				t.Errorf("it waits since %s", got)
			}
			calls := map[dynamotest.Op]int{}
			for _, op := range []dynamotest.Op{dynamotest.GetItem, dynamotest.Query, dynamotest.BatchGetItem, dynamotest.Scan} {
				if n := faults.Calls(op); n > 0 {
					calls[op] = n
				}
			}
			// The query reads the rows of live mailings, the batch read those mailings,
			// and the scan the pending batches.
			want := map[dynamotest.Op]int{dynamotest.Query: 1, dynamotest.BatchGetItem: 1, dynamotest.Scan: 1}
			if diff := cmp.Diff(want, calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			t.Logf("figure: the oldest of %d mailings, %d batches: %v", many, many*mailing.Slices, calls)
		})
	}
}

func TestTheSearchForTheOldestIsBoundedAndReportsWhenItWasIncomplete(t *testing.T) {
	t.Parallel()
	// Each page holds one batch, and 25 pages are read.
	for _, c := range []struct {
		name         string
		put, waiting int // batches that are put off, and batches that wait
		known, found bool
	}{
		{"fewer than are read, and none waits", 24, 0, true, false},
		{"more than are read, and none that was read waits", 40, 0, false, false},
		{"more than are read, and one in two waits", 20, 20, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := dynamotest.Start(t)
			s := e.Store(atNoon())
			for n := range c.put {
				waits(t, s, n%mailing.Slices, func(b *mailing.Batch) { b.NotBefore = noon.Add(time.Hour) })
				if n < c.waiting {
					waits(t, s, n%mailing.Slices, nil)
				}
			}
			faults := dynamotest.NewFaults(smallPages{e.Client, 1})
			since, known, err := e.StoreOver(faults, atNoon()).OldestWaiting(t.Context())
			if err != nil || known != c.known || since.IsZero() == c.found {
				t.Errorf("since %s, known %t, %v", since, known, err)
			}
			if n := faults.Calls(dynamotest.Scan); n > 26 {
				t.Errorf("it took %d calls", n)
			}
		})
	}
}

func TestAFailedReadIsNeverReportedAsNoWaitingBatch(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	waits(t, e.Store(atNoon()), 3, nil)
	waits(t, e.Store(atNoon()), 5, nil)
	for _, op := range []dynamotest.Op{dynamotest.Query, dynamotest.BatchGetItem, dynamotest.Scan} {
		for n := 1; ; n++ {
			faults, down := dynamotest.NewFaults(smallPages{e.Client, 1}), errors.New("down")
			faults.On(op, n, dynamotest.Fault{Refuse: down})
			since, known, err := e.StoreOver(faults, atNoon()).OldestWaiting(t.Context())
			if faults.Calls(op) < n {
				if err != nil || since.IsZero() || !known {
					t.Errorf("without a fault: since %s, known %t, %v", since, known, err)
				}
				break
			}
			if !errors.Is(err, down) || known {
				t.Errorf("%s %d fails: known %t, error is %v", op, n, known, err)
			}
		}
	}
}
