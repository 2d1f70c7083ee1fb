package dynamo_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// atNoon stops the clock of a store at noon.
func atNoon() dynamotest.Option { return dynamotest.NewClock(noon).Option() }

// oneBatch stores a mailing with one batch: a message to each of clients 16 and 32.
func oneBatch(t *testing.T, s *dynamo.Store) mailing.BatchKey {
	t.Helper()
	m := newMailing(t, s, noon)
	expand(t, s, m, noon, []mailing.ClientID{16, 32}, 10, 10, everyone(mailing.Queued))
	return mailing.BatchKey{Mailing: m.ID, Batch: mailing.BatchID{First: 16}}
}

// readBatch reads one batch.
func readBatch(t *testing.T, s *dynamo.Store, k mailing.BatchKey) mailing.Batch {
	t.Helper()
	for _, b := range sliceBatches(t, s, k.Mailing, k.Slice) {
		if b.Key == k {
			return b
		}
	}
	t.Fatalf("there is no batch %s", k)
	return mailing.Batch{}
}

func mustClaim(t *testing.T, s *dynamo.Store, k mailing.BatchKey, holder string, now, lease time.Time) mailing.Batch {
	t.Helper()
	b, ok, err := s.Claim(t.Context(), k, holder, now, lease)
	if err != nil || !ok {
		t.Fatalf("%s claims %s: %t, %v", holder, k, ok, err)
	}
	return b
}

func wantUnclaimable(t *testing.T, s *dynamo.Store, k mailing.BatchKey, now time.Time) {
	t.Helper()
	if _, ok, err := s.Claim(t.Context(), k, "too early", now, now.Add(time.Minute)); err != nil || ok {
		t.Errorf("it is claimed at %s: %t, %v", now.Format(time.TimeOnly), ok, err)
	}
}

func mustUnclaim(t *testing.T, s *dynamo.Store, k mailing.BatchKey, holder string, due time.Time) bool {
	t.Helper()
	done, err := s.Unclaim(t.Context(), k, holder, due)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// dueRows returns the rows of a slice in the index of pending batches.
func dueRows(t *testing.T, s *dynamo.Store, id mailing.ID, slice int) []mailing.Due {
	t.Helper()
	var all []mailing.Due
	err := s.Due(t.Context(), id, slice, time.Time{}, func(rows []mailing.Due) (bool, error) {
		all = append(all, rows...)
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAClaimThatIsTakenBackLeavesNoTrace(t *testing.T) {
	t.Parallel()
	clock := dynamotest.NewClock(noon)
	s := dynamotest.Store(t, clock.Option())
	k := oneBatch(t, s)
	for range 2 {
		now := clock.Now()
		if b := mustClaim(t, s, k, "me", now, now.Add(time.Minute)); b.Claims != 1 {
			t.Fatalf("it was claimed %d times, want 1", b.Claims)
		}
		if !mustUnclaim(t, s, k, "me", now.Add(time.Second)) {
			t.Fatal("the claim is not taken back")
		}
		b := readBatch(t, s, k)
		if b.Holder != "" || !b.LeaseUntil.IsZero() || b.Claims != 0 || b.Lost != (mailing.Lease{}) || !b.DueAt.Equal(now.Add(time.Second)) {
			t.Errorf("it is left as %+v", b)
		}
		if got, err := s.Message(t.Context(), mailing.NewMessageID(k.Mailing, 16)); err != nil || got.Member.Status != mailing.Queued {
			t.Errorf("its message is %s, %v", got.Member.Status, err)
		}
		wantUnclaimable(t, s, k, now)
		clock.Advance(time.Second)
	}
}

func TestAClaimAfterLostClaimsReturnsTheLeaseOfTheFirst(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	k := oneBatch(t, s)
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	mustClaim(t, s, k, "the first", at(0), at(1))
	mustClaim(t, s, k, "the second", at(5), at(6))
	b := mustClaim(t, s, k, "me", at(8), at(9))
	if want := (mailing.Lease{From: at(0), Until: at(1)}); b.Claims != 3 || b.Lost != want {
		t.Errorf("claimed %d times, lost %+v", b.Claims, b.Lost)
	}
	if mustUnclaim(t, s, k, "me", at(8)) {
		t.Error("a claim after lost claims is taken back")
	}
	settled := b.Settled(b.Recipients, make([]mailing.Wait, len(b.Recipients)), 0, at(8), func(d time.Duration) time.Duration { return d })
	if lost, err := s.Settle(t.Context(), mailing.Mailing{ID: k.Mailing}, 0, []mailing.Settlement{{Batch: settled, Holder: "me"}}); err != nil || len(lost) > 0 {
		t.Fatal(lost, err)
	}
	if b := mustClaim(t, s, k, "another", at(10), at(11)); b.Claims != 1 || !b.Lost.From.Equal(at(10)) {
		t.Errorf("after its settlement: claimed %d times, lost %+v", b.Claims, b.Lost)
	}
}

func TestARefusedClaimReturnsTheBatchThatRefusedIt(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	k := oneBatch(t, s)
	mustClaim(t, s, k, "me", noon, noon.Add(time.Minute))
	b, ok, err := s.Claim(t.Context(), k, "another", noon, noon.Add(time.Minute))
	if ok || err != nil || b.Holder != "me" || !b.LeaseUntil.Equal(noon.Add(time.Minute)) {
		t.Errorf("claimed %t, %v: %+v", ok, err, b)
	}
	none := mailing.BatchKey{Mailing: 9, Batch: mailing.BatchID{First: 16}}
	if b, ok, err := s.Claim(t.Context(), none, "another", noon, noon.Add(time.Minute)); ok || err != nil || b.Key != (mailing.BatchKey{}) {
		t.Errorf("an unknown batch: claimed %t, %v: %+v", ok, err, b)
	}
}

func TestAClaimIsNotTakenBackAfterAnotherSenderClaimedTheBatch(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	k := oneBatch(t, s)
	mustClaim(t, s, k, "slow", noon, noon.Add(time.Minute))
	held := mustClaim(t, s, k, "me", noon.Add(time.Minute), noon.Add(2*time.Minute))
	if mustUnclaim(t, s, k, "slow", noon) {
		t.Error("another's claim is taken back")
	}
	if diff := cmp.Diff(held, readBatch(t, s, k)); diff != "" {
		t.Errorf("batch (-want +got):\n%s", diff)
	}
}

func TestAFailedWriteOfABatchReturnsItsCause(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	k := oneBatch(t, e.Store(atNoon()))
	faults, down := dynamotest.NewFaults(e.Client), errors.New("down")
	faults.Always(dynamotest.UpdateItem, dynamotest.Fault{Refuse: down})
	s := e.StoreOver(faults, atNoon())
	for name, write := range map[string]func() error{
		"unclaim": func() error { _, err := s.Unclaim(t.Context(), k, "me", noon); return err },
		"mark":    func() error { return s.MarkRetried(t.Context(), k.Mailing, 0, noon) },
		"test": func() error {
			_, _, err := s.CreateTest(t.Context(), mailing.Test{Phone: phone(1)}, noon, mailing.Idempotency{})
			return err
		},
		"postpone":  func() error { _, err := s.Postpone(t.Context(), mailing.Due{Key: k}, noon, true); return err },
		"the claim": func() error { _, _, err := s.Claim(t.Context(), k, "me", noon, noon); return err },
	} {
		if err := write(); !errors.Is(err, down) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}
