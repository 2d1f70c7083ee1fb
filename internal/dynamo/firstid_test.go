package dynamo_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// anyFirst makes a store use random first ids, as a deployed one does.
func anyFirst() dynamotest.Option { return dynamotest.WithFirstMailing(0) }

func TestEachNewDeploymentBeginsAtRandomIDs(t *testing.T) {
	t.Parallel()
	mailings, tests := map[mailing.ID]bool{}, map[mailing.ClientID]bool{}
	for range 20 {
		s := dynamotest.Store(t, anyFirst(), atNoon())
		m := newMailing(t, s, noon)
		if m.ID < 1 || m.ID > mailing.MaxFirstID {
			t.Errorf("the first mailing is %d", m.ID)
		}
		if next := newMailing(t, s, noon); next.ID != m.ID+1 {
			t.Errorf("after %d comes %d", m.ID, next.ID)
		}
		msg, _ := createTest(t, s, mailing.Test{Mailing: m.ID, Phone: phone(7)})
		if next, _ := createTest(t, s, mailing.Test{Mailing: m.ID, Phone: phone(7)}); next.ID != msg.ID+1 || msg.ID >= 1<<31 {
			t.Errorf("after test message %d comes %d", msg.ID, next.ID)
		}
		mailings[m.ID], tests[msg.ID.Client()] = true, true
	}
	// Of 20 random ids out of a million, two are equal in one of five thousand runs. So
	// 19 different ones are enough.
	if len(mailings) < 19 || len(tests) < 19 {
		t.Errorf("20 deployments have %d first mailing ids and %d first test message ids", len(mailings), len(tests))
	}
}

func TestTheLargestFirstIDLeavesMessageIDsBelow2To53(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	m := newMailing(t, e.Store(dynamotest.WithFirstMailing(mailing.MaxFirstID)), noon)
	if m.ID != mailing.MaxFirstID {
		t.Errorf("the first mailing is %d", m.ID)
	}
	if last := mailing.NewMessageID(mailing.MaxID, 1<<32-1); last >= 1<<53 {
		t.Errorf("the last message is %d", last)
	}
}

func TestFirstMailingsThatAreCreatedAtOnceShareOneFirstID(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		ids []mailing.ID
	)
	for range 20 {
		// Each store is a process of its own, which knows no id of the others.
		s := e.Store(anyFirst())
		wg.Go(func() {
			m, err := s.CreateMailing(t.Context(), mailing.Mailing{}, mailing.Idempotency{})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, m.ID)
		})
	}
	wg.Wait()
	seen := map[mailing.ID]bool{}
	least, most := ids[0], ids[0]
	for _, id := range ids {
		seen[id] = true
		least, most = min(least, id), max(most, id)
	}
	if len(seen) != 20 || most-least != 19 {
		t.Errorf("20 mailings have %d ids, from %d to %d", len(seen), least, most)
	}
}

func TestFirstTestMessagesThatAreCreatedAtOnceShareOneFirstID(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = map[mailing.ClientID]bool{}
	)
	for range 20 {
		s := e.Store(anyFirst())
		wg.Go(func() {
			msg, _, err := s.CreateTest(t.Context(), mailing.Test{Mailing: 1, Phone: phone(7)}, noon, mailing.Idempotency{})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			seen[msg.ID.Client()] = true
		})
	}
	wg.Wait()
	least, most := ^mailing.ClientID(0), mailing.ClientID(0)
	for id := range seen {
		least, most = min(least, id), max(most, id)
	}
	if len(seen) != 20 || most-least != 19 {
		t.Errorf("20 test messages have %d ids, from %d to %d", len(seen), least, most)
	}
}

func TestAFirstIDThatIsConfiguredLaterChangesNothing(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	first := newMailing(t, e.Store(anyFirst()), noon)
	if next := newMailing(t, e.Store(dynamotest.WithFirstMailing(7)), noon); next.ID != first.ID+1 {
		t.Errorf("after %d comes %d", first.ID, next.ID)
	}
}

// An older table has a counter without a first id.
func TestAnOlderTableContinuesItsIDs(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	old := newMailing(t, e.Store(), noon)
	put(t, e, e.Tables.Mailings, dynamo.CounterItem(3000))
	put(t, e, e.Tables.Mailings, dynamo.CounterItemOfTests(41))
	s := e.Store(anyFirst(), atNoon())
	next := newMailing(t, s, noon)
	if diff := cmp.Diff([]mailing.ID{3001, old.ID}, listMailings(t, s, "", 10)); diff != "" || next.ID != 3001 {
		t.Errorf("created %d: %s", next.ID, diff)
	}
	msg, _ := createTest(t, s, mailing.Test{Mailing: 1, Phone: phone(7)})
	if msg.ID.Client() <= 41 {
		t.Errorf("the id of test message %d was given out before", msg.ID)
	}
}

func TestNothingBelowTheFirstMailingIsRead(t *testing.T) {
	t.Parallel()
	for _, first := range []mailing.ID{1, 1000, 123_456, 123_999, mailing.MaxFirstID} {
		e := dynamotest.Start(t)
		counting := &countLooked{API: e.Client}
		s := e.StoreOver(counting, dynamotest.WithFirstMailing(first), atNoon())
		var want []mailing.ID
		for range 3 {
			m := newMailing(t, s, noon)
			finish(t, s, m.ID, mailing.Counts{})
			want = append([]mailing.ID{m.ID}, want...)
		}
		for _, status := range []mailing.Status{"", mailing.StatusCompleted} {
			counting.queries = 0
			page, err := s.ListMailings(t.Context(), mailing.MailingQuery{Status: status, Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			got := make([]mailing.ID, 0, len(page.Items))
			for _, m := range page.Items {
				got = append(got, m.ID)
			}
			if diff := cmp.Diff(want, got); diff != "" || page.Next != "" || counting.queries > 2 {
				t.Errorf("from %d on, status %q: %d queries, next %q: %s", first, status, counting.queries, page.Next, diff)
			}
		}
		for _, limit := range []int{1, 2, 3} {
			if diff := cmp.Diff(want, listMailings(t, s, "", limit)); diff != "" {
				t.Errorf("from %d on, by %d: %s", first, limit, diff)
			}
		}
		counting.queries = 0
		ms, unread, err := s.ChangedSince(t.Context(), noon.Add(-time.Hour))
		if err != nil || len(ms) != 3 || unread != 0 || counting.queries > 3 {
			t.Errorf("from %d on: a report has %d mailings after %d queries, unread below %d, %v", first, len(ms), counting.queries, unread, err)
		}
	}
}
