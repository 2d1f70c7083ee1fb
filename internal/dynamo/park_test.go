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

// atNoon makes a store's clock stand still at noon.
func atNoon() dynamo.Option { return dynamotest.NewClock(noon).Option() }

// oneBatch stores a mailing with one batch, of a message to each of 16 and 32.
func oneBatch(t *testing.T, s *dynamo.Store, status mailing.MessageStatus) mailing.BatchKey {
	t.Helper()
	m := newMailing(t, s, noon)
	expand(t, s, m, noon, []mailing.ClientID{16, 32}, 10, 10, everyone(status))
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

func mustPark(t *testing.T, s *dynamo.Store, k mailing.BatchKey, now, until time.Time) bool {
	t.Helper()
	parked, err := s.Park(t.Context(), k, now, until)
	if err != nil {
		t.Fatal(err)
	}
	return parked
}

func mustUnclaim(t *testing.T, s *dynamo.Store, k mailing.BatchKey, holder string, due time.Time) bool {
	t.Helper()
	done, err := s.Unclaim(t.Context(), k, holder, due)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// dueRows are what the index of waiting batches knows of a slice.
func dueRows(t *testing.T, s *dynamo.Store, id mailing.MailingID, slice int) []mailing.Due {
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

func TestAParkedBatchIsLeftAloneUntilItsInstant(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	k := oneBatch(t, s, mailing.Queued)
	before, until := readBatch(t, s, k), noon.Add(time.Minute)
	if !mustPark(t, s, k, noon, until) {
		t.Fatal("it is not parked")
	}
	want := before
	want.NotBefore, want.DueAt = until, until
	if diff := cmp.Diff(want, readBatch(t, s, k)); diff != "" {
		t.Errorf("batch (-want +got):\n%s", diff)
	}
	wantUnclaimable(t, s, k, until.Add(-time.Millisecond))
	if b := mustClaim(t, s, k, "me", until, until.Add(time.Minute)); b.Claims != 1 {
		t.Errorf("it was claimed %d times", b.Claims)
	}
}

func TestParkingForgetsThatASweepHasQueuedTheBatch(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	k := oneBatch(t, s, mailing.Queued)
	if moved, err := s.Postpone(t.Context(), dueRows(t, s, k.Mailing, 0)[0], noon.Add(10*time.Minute), false); err != nil || !moved {
		t.Fatal(moved, err)
	}
	mustPark(t, s, k, noon, noon.Add(time.Minute))
	want := []mailing.Due{{Key: k, DueAt: noon.Add(time.Minute), NotBefore: noon.Add(time.Minute), CreatedAt: noon}}
	if diff := cmp.Diff(want, dueRows(t, s, k.Mailing, 0)); diff != "" {
		t.Errorf("due (-want +got):\n%s", diff)
	}
}

func TestThereIsNothingToBePutOffOfABatchThatIsHeldOrWaitsOrIsDone(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status mailing.MessageStatus
		make   func(*testing.T, *dynamo.Store, mailing.BatchKey)
	}{
		{"held", mailing.Queued, func(t *testing.T, s *dynamo.Store, k mailing.BatchKey) {
			t.Helper()
			mustClaim(t, s, k, "me", noon, noon.Add(time.Second))
		}},
		{"parked for longer", mailing.Queued, func(t *testing.T, s *dynamo.Store, k mailing.BatchKey) {
			t.Helper()
			mustPark(t, s, k, noon, noon.Add(time.Hour))
		}},
		{"done", mailing.Sent, func(*testing.T, *dynamo.Store, mailing.BatchKey) {}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := dynamotest.Store(t, atNoon())
			k := oneBatch(t, s, test.status)
			test.make(t, s, k)
			before := readBatch(t, s, k)
			if mustPark(t, s, k, noon, noon.Add(time.Minute)) {
				t.Error("it is parked")
			}
			if diff := cmp.Diff(before, readBatch(t, s, k)); diff != "" {
				t.Errorf("batch (-want +got):\n%s", diff)
			}
		})
	}
	s := dynamotest.Store(t, atNoon())
	none := mailing.BatchKey{Mailing: 9, Batch: mailing.BatchID{First: 16}}
	if mustPark(t, s, none, noon, noon.Add(time.Minute)) || len(sliceBatches(t, s, 9, 0)) > 0 {
		t.Error("a batch that there never was is parked")
	}
}

func TestParkingKeepsTheClaimsThatWereLeftUnsettled(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	k := oneBatch(t, s, mailing.Queued)
	mustClaim(t, s, k, "killed", noon, noon.Add(time.Minute))
	if !mustPark(t, s, k, noon.Add(time.Minute), noon.Add(2*time.Minute)) {
		t.Error("it is not parked after the lease")
	}
	if b := mustClaim(t, s, k, "me", noon.Add(2*time.Minute), noon.Add(3*time.Minute)); b.Claims != 2 {
		t.Errorf("it was claimed %d times, want 2", b.Claims)
	}
}

func TestAClaimThatIsTakenBackIsAsIfItHadNeverBeen(t *testing.T) {
	t.Parallel()
	clock := dynamotest.NewClock(noon)
	s := dynamotest.Store(t, clock.Option())
	k := oneBatch(t, s, mailing.Queued)
	for _, unsettled := range []int{0, 1, 2} {
		now := clock.Now()
		if b := mustClaim(t, s, k, "me", now, now.Add(time.Minute)); b.Claims != unsettled+1 {
			t.Fatalf("it was claimed %d times, want %d", b.Claims, unsettled+1)
		}
		if !mustUnclaim(t, s, k, "me", now.Add(time.Second)) {
			t.Fatal("the claim is not taken back")
		}
		b := readBatch(t, s, k)
		if b.Holder != "" || !b.LeaseUntil.IsZero() || b.Claims != unsettled || !b.DueAt.Equal(now.Add(time.Second)) {
			t.Errorf("it is left as %+v", b)
		}
		if got, err := s.Message(t.Context(), mailing.NewMessageID(k.Mailing, 16)); err != nil || got.Member.Status != mailing.Queued {
			t.Errorf("its message is %s, %v", got.Member.Status, err)
		}
		wantUnclaimable(t, s, k, now)
		clock.Advance(time.Second)
		// Who takes it next does not survive, so there is one more to be found.
		mustClaim(t, s, k, "killed", clock.Now(), clock.Now().Add(time.Minute))
		clock.Advance(time.Minute)
	}
}

func TestALeaseThatWasLostIsNotTakenBack(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	k := oneBatch(t, s, mailing.Queued)
	mustClaim(t, s, k, "slow", noon, noon.Add(time.Minute))
	held := mustClaim(t, s, k, "me", noon.Add(time.Minute), noon.Add(2*time.Minute))
	if mustUnclaim(t, s, k, "slow", noon) {
		t.Error("another's claim is taken back")
	}
	if diff := cmp.Diff(held, readBatch(t, s, k)); diff != "" {
		t.Errorf("batch (-want +got):\n%s", diff)
	}
	if !mustUnclaim(t, s, k, "me", noon) {
		t.Error("the claim is not taken back")
	}
	if mustUnclaim(t, s, k, "me", noon) || readBatch(t, s, k).Claims != 1 {
		t.Errorf("taken back twice it counts %d claims", readBatch(t, s, k).Claims)
	}
}

func TestAWriteOfABatchThatFailsTellsItsCause(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	k := oneBatch(t, e.Store(atNoon()), mailing.Queued)
	faults, down := dynamotest.NewFaults(e.Client), errors.New("down")
	faults.Always(dynamotest.UpdateItem, dynamotest.Fault{Refuse: down})
	s := e.StoreOver(faults, atNoon())
	for name, write := range map[string]func() error{
		"park":    func() error { _, err := s.Park(t.Context(), k, noon, noon); return err },
		"unclaim": func() error { _, err := s.Unclaim(t.Context(), k, "me", noon); return err },
		"mark":    func() error { return s.MarkRetried(t.Context(), k.Mailing, 0, noon) },
		"test": func() error {
			_, _, err := s.CreateTest(t.Context(), mailing.Test{Phone: phone(1)}, noon, mailing.Once{})
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
