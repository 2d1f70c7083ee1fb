package dynamo_test

import (
	"sync"
	"testing"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

func TestMailingsGetTheirIDsInOneCallEach(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	faults := dynamotest.NewFaults(e.Client)
	one, other := e.StoreOver(faults), e.Store()
	for want := mailing.ID(1); want <= 3; want++ {
		if m, err := one.CreateMailing(t.Context(), mailing.Mailing{}, mailing.Idempotency{}); err != nil || m.ID != want {
			t.Fatalf("id %d, %v, want %d", m.ID, err, want)
		}
	}
	if n := faults.Calls(dynamotest.TransactWriteItems) + faults.Calls(dynamotest.UpdateItem); n != 3 {
		t.Errorf("%d calls for three mailings", n)
	}
	// After another process has moved the counter, a creation costs one more call.
	if m, err := other.CreateMailing(t.Context(), mailing.Mailing{}, mailing.Idempotency{}); err != nil || m.ID != 4 {
		t.Fatalf("id %d, %v", m.ID, err)
	}
	if m, err := one.CreateMailing(t.Context(), mailing.Mailing{}, mailing.Idempotency{}); err != nil || m.ID != 5 {
		t.Fatalf("id %d, %v", m.ID, err)
	}
	if n := faults.Calls(dynamotest.TransactWriteItems); n != 5 {
		t.Errorf("%d calls", n)
	}
}

func TestMailingsThatAreCreatedAtTheSameTimeHaveIDsOfTheirOwn(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	stores := []*dynamo.Store{e.Store(), e.Store()}

	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = map[mailing.ID]bool{}
	)
	for i := range 12 {
		wg.Go(func() {
			m, err := stores[i%2].CreateMailing(t.Context(), mailing.Mailing{}, mailing.Idempotency{})
			mu.Lock()
			defer mu.Unlock()
			if err != nil || seen[m.ID] {
				t.Errorf("id %d, %v", m.ID, err)
			}
			seen[m.ID] = true
		})
	}
	wg.Wait()
	live, err := e.Store().Live(t.Context())
	if err != nil || len(live) != 12 {
		t.Errorf("%d live mailings, %v", len(live), err)
	}
}

func TestAMailingThatNeverGetsAnIDOfItsOwnIsAConflict(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	faults := dynamotest.NewFaults(e.Client)
	one, other := e.StoreOver(faults), e.Store()
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Before: func() {
		if _, err := other.CreateMailing(t.Context(), mailing.Mailing{}, mailing.Idempotency{}); err != nil {
			t.Error(err)
		}
	}})
	if m, err := one.CreateMailing(t.Context(), mailing.Mailing{}, mailing.Idempotency{}); mailing.KindOf(err) != mailing.KindConflict {
		t.Errorf("id %d, %v", m.ID, err)
	}
}
