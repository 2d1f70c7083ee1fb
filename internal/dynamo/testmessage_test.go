package dynamo_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

func createTest(t *testing.T, s *dynamo.Store, to mailing.Test) (mailing.Message, mailing.BatchKey) {
	t.Helper()
	msg, k, err := s.CreateTest(t.Context(), to, noon, mailing.Idempotency{})
	if err != nil {
		t.Fatal(err)
	}
	return msg, k
}

func TestATestMessageIsReadAndClaimedAsItWasCreated(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	to := mailing.Test{Mailing: newMailing(t, s, noon).ID, Phone: phone(7)}
	msg, k := createTest(t, s, to)
	rec := mailing.Recipient{Client: msg.ID.Client(), Status: mailing.Queued, At: noon}
	want := mailing.Message{ID: msg.ID, Phone: phone(7), Member: rec, CreatedAt: noon, Test: &to}
	if diff := cmp.Diff(want, msg); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	if got, err := s.Message(t.Context(), msg.ID); err != nil || !cmp.Equal(want, got) {
		t.Errorf("%v, read (-want +got):\n%s", err, cmp.Diff(want, got))
	}
	if !msg.ID.Valid() || msg.ID.Mailing() != mailing.TestMailing {
		t.Errorf("its id is %d", msg.ID)
	}
	batch := mailing.Batch{
		Key: k, Recipients: []mailing.Recipient{rec}, CreatedAt: noon, Test: &to,
		Holder: "me", LeaseUntil: noon.Add(time.Minute), DueAt: noon.Add(time.Minute), Claims: 1,
		Lost: mailing.Lease{From: noon, Until: noon.Add(time.Minute)},
	}
	if diff := cmp.Diff(batch, mustClaim(t, s, k, "me", noon, noon.Add(time.Minute))); diff != "" {
		t.Errorf("claimed (-want +got):\n%s", diff)
	}
	if got, err := s.Message(t.Context(), msg.ID); err != nil || got.Member.Status != mailing.Sending {
		t.Errorf("during the lease it is %s, %v", got.Member.Status, err)
	}
}

func TestATestMessageIsDueUntilItIsSettledAndHiddenAfterItsRetention(t *testing.T) {
	t.Parallel()
	clock := dynamotest.NewClock(noon)
	s := dynamotest.Store(t, clock.Option())
	msg, k := createTest(t, s, mailing.Test{Mailing: 1, Phone: phone(7)})
	want := []mailing.Due{{Key: k, DueAt: noon.Add(mailing.QueuedOverdueAfter), CreatedAt: noon}}
	if diff := cmp.Diff(want, dueRows(t, s, mailing.TestMailing, k.Slice)); diff != "" {
		t.Errorf("due (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(counts(mailing.Queued, 1), wantExact(t, s, mailing.TestMailing, k.Slice)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	tests := mailing.Tests(noon)
	settleAs(t, s, tests, mustClaim(t, s, k, "me", noon, noon.Add(time.Minute)), sentTo(msg.ID.Client()))
	if rows := dueRows(t, s, mailing.TestMailing, k.Slice); len(rows) > 0 {
		t.Errorf("it is due after it was sent: %v", rows)
	}
	if diff := cmp.Diff(counts(mailing.Sent, 1), wantExact(t, s, mailing.TestMailing, k.Slice)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}

	clock.Advance(tests.EndAt.Sub(noon) + dynamotest.Retention - time.Second)
	if got, err := s.Message(t.Context(), msg.ID); err != nil || got.Member.Status != mailing.Sent || got.Phone != phone(7) {
		t.Errorf("before the end of its retention it is %+v, %v", got, err)
	}
	clock.Advance(time.Second)
	_, err := s.Message(t.Context(), msg.ID)
	wantKind(t, err, mailing.KindNotFound)
}

func TestTestMessagesAreInNoStatisticsAndNoList(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	m := newMailing(t, s, noon)
	seen := map[mailing.MessageID]bool{}
	for range 20 {
		msg, _ := createTest(t, s, mailing.Test{Mailing: m.ID, Phone: phone(7)})
		seen[msg.ID] = true
	}
	if len(seen) != 20 {
		t.Errorf("20 tests have %d ids", len(seen))
	}
	if diff := cmp.Diff(byStatus(0, 0, 1), overall(t, s, "").Mailings); diff != "" {
		t.Errorf("mailings (-want +got):\n%s", diff)
	}
	if got := overall(t, s, "").Totals; got != (mailing.Counts{}) {
		t.Errorf("totals %+v", got)
	}
	wantState(t, s, m.ID, mailingState{mailing.StatusRunning, false, true, summed(0, mailing.Counts{}), mailing.Counts{}})
	for _, q := range []mailing.MessageQuery{{Limit: 50}, {Mailing: m.ID, Limit: 50}} {
		if got := listMessages(t, s, q); len(got) > 0 {
			t.Errorf("%+v lists %d messages", q, len(got))
		}
	}
	// Test messages have a counter of their own.
	if next := newMailing(t, s, noon); next.ID != m.ID+1 {
		t.Errorf("the mailing after %d is %d", m.ID, next.ID)
	}
}

func TestAnIDThatNoTestMessageHasIsNotFound(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	msg, _ := createTest(t, s, mailing.Test{Mailing: 1, Phone: phone(7)})
	for _, id := range []mailing.MessageID{msg.ID + 1, msg.ID + mailing.Slices, 1<<32 - 1} {
		_, err := s.Message(t.Context(), id)
		wantKind(t, err, mailing.KindNotFound)
	}
}

func TestNoTestMessageIsCreatedAfterTheLastID(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store(atNoon())
	put(t, e, e.Tables.Mailings, dynamo.CounterItemOfTests(1<<32-2))
	if msg, _ := createTest(t, s, mailing.Test{Mailing: 1, Phone: phone(7)}); msg.ID != 1<<32-1 {
		t.Errorf("the last id is %d", msg.ID)
	}
	if msg, _, err := s.CreateTest(t.Context(), mailing.Test{Mailing: 1, Phone: phone(7)}, noon, mailing.Idempotency{}); err == nil {
		t.Errorf("after the last id, another was given out: %d", msg.ID)
	}
}
