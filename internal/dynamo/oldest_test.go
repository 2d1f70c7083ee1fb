package dynamo_test

import (
	"errors"
	"testing"
	"time"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

func oldest(t *testing.T, s *dynamo.Store) time.Time {
	t.Helper()
	since, err := s.OldestWaiting(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return since
}

// waits stores a running mailing with one batch of a slice as it is changed.
func waits(t *testing.T, s *dynamo.Store, slice int, how func(*mailing.Batch)) mailing.Mailing {
	t.Helper()
	m := newMailing(t, s, noon.Add(-5*time.Hour))
	id := mailing.ClientID(mailing.Slices + slice)
	b := mailing.Batch{
		Key: mailing.BatchKey{Mailing: m.ID, Slice: slice, Batch: mailing.BatchID{First: id}}, CreatedAt: noon.Add(-4 * time.Hour),
		Members: []mailing.Member{{Client: id, Status: mailing.Retrying, At: noon}}, DueAt: noon,
	}
	if how != nil {
		how(&b)
	}
	p := mailing.Page{Mailing: m.ID, Slice: slice, Next: id, Done: true, Batches: []mailing.Batch{b}, Counts: mailing.CountMembers(b.Members)}
	if written, err := s.WritePage(t.Context(), m, p); err != nil || !written {
		t.Fatal(written, err)
	}
	return m
}

func TestABatchWaitsFromWhenItCouldHaveBeenSent(t *testing.T) {
	t.Parallel()
	created := noon.Add(-4 * time.Hour)
	tests := []struct {
		name string
		how  func(*mailing.Batch)
		want time.Time
	}{
		{"queued as it was made", nil, created},
		{"put off until an hour ago", func(b *mailing.Batch) { b.NotBefore = noon.Add(-time.Hour) }, noon.Add(-time.Hour)},
		{"put off until now", func(b *mailing.Batch) { b.NotBefore = noon }, noon},
		{"put off for longer", func(b *mailing.Batch) { b.NotBefore = noon.Add(time.Millisecond) }, time.Time{}},
		{"held", func(b *mailing.Batch) { b.Holder, b.LeaseUntil = "me", noon.Add(time.Millisecond) }, time.Time{}},
		{"left by a sender that did not survive", func(b *mailing.Batch) { b.Holder, b.LeaseUntil = "killed", noon }, created},
		{"done", func(b *mailing.Batch) { b.Members[0].Status, b.DueAt = mailing.Sent, time.Time{} }, time.Time{}},
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

func TestTheOldestOfAllThatRunsIsFound(t *testing.T) {
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
	// What is held still, or over, is not waited for.
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

func TestTheOldestBatchIsFoundBehindThoseThatAreHeld(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	m := newMailing(t, s, noon.Add(-5*time.Hour))
	batches := make([][]mailing.Member, 8)
	for i, id := range inSlice(3, len(batches)) {
		batches[i] = []mailing.Member{queuedTo(id)}
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

func TestLookingForTheOldestIsBounded(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	plain := e.Store(atNoon())
	for n := range 5 {
		m := newMailing(t, plain, noon)
		var to []mailing.ClientID
		for slice := range mailing.Slices {
			to = append(to, mailing.ClientID(mailing.Slices+slice))
		}
		expand(t, plain, m, noon.Add(time.Duration(n-9)*time.Minute), to, 10, 10, everyone(mailing.Queued))
	}
	faults := dynamotest.NewFaults(e.Client)
	if got := oldest(t, e.StoreOver(faults, atNoon())); !got.Equal(noon.Add(-9 * time.Minute)) {
		t.Errorf("of the oldest mailing it waits since %s", got)
	}
	if n := faults.Calls(dynamotest.Query); n > 64+1 {
		t.Errorf("it took %d queries", n)
	}
}

func TestThatNothingWaitsIsNeverSaidBecauseItCouldNotBeRead(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	waits(t, e.Store(atNoon()), 3, nil)
	for n := 1; ; n++ {
		faults, down := dynamotest.NewFaults(e.Client), errors.New("down")
		faults.On(dynamotest.Query, n, dynamotest.Fault{Refuse: down})
		faults.On(dynamotest.BatchGetItem, n, dynamotest.Fault{Refuse: down})
		_, err := e.StoreOver(faults, atNoon()).OldestWaiting(t.Context())
		if faults.Calls(dynamotest.Query) < n && faults.Calls(dynamotest.BatchGetItem) < n {
			if err != nil {
				t.Error(err)
			}
			return
		}
		if !errors.Is(err, down) {
			t.Errorf("call %d fails: error is %v", n, err)
		}
	}
}
