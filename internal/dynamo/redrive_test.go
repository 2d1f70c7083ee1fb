package dynamo_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// letterOf returns the dead letter of a failure.
func letterOf(m mailing.Mailing, rec mailing.Recipient) mailing.DeadLetter {
	return mailing.DeadLetter{Message: mailing.NewMessageID(m.ID, rec.Client), Reason: rec.Error, Attempts: rec.Attempts, At: rec.At}
}

func redrive(t *testing.T, s *dynamo.Store, id mailing.ID, letters ...mailing.DeadLetter) (mailing.Mailing, mailing.Redriving) {
	t.Helper()
	m, r, err := s.Redrive(t.Context(), id, letters)
	if err != nil {
		t.Fatal(err)
	}
	return m, r
}

func wantRedriving(t *testing.T, got, want mailing.Redriving) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("result of the redrive (-want +got):\n%s", diff)
	}
}

func statusOf(t *testing.T, s *dynamo.Store, m mailing.Mailing, client mailing.ClientID) mailing.MessageStatus {
	t.Helper()
	got, err := s.Message(t.Context(), mailing.NewMessageID(m.ID, client))
	if err != nil {
		t.Fatal(err)
	}
	return got.Member.Status
}

// mailingState holds all that changes when a mailing finishes or is reopened.
type mailingState struct {
	Status   mailing.Status
	Finished bool
	Live     bool
	Totals   dynamo.Totals
	Counts   mailing.Counts
}

// stateOf reads the present state of a mailing.
func stateOf(t *testing.T, s *dynamo.Store, id mailing.ID) mailingState {
	t.Helper()
	m, err := s.Mailing(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	progress, err := s.Progress(t.Context(), []mailing.Mailing{m})
	if err != nil {
		t.Fatal(err)
	}
	live, err := s.Live(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	totals, err := s.Totals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	totals.Changes = 0
	got := mailingState{Status: m.Status, Finished: m.Finished, Totals: totals, Counts: progress[0].Counts}
	for _, each := range live {
		got.Live = got.Live || each.ID == id
	}
	return got
}

func wantState(t *testing.T, s *dynamo.Store, id mailing.ID, want mailingState) {
	t.Helper()
	if diff := cmp.Diff(want, stateOf(t, s, id)); diff != "" {
		t.Errorf("state of the mailing (-want +got):\n%s", diff)
	}
}

// summed returns the totals over a number of completed mailings with the counts c.
func summed(completed int64, c mailing.Counts) dynamo.Totals {
	return dynamo.Totals{
		Mailings: map[mailing.Status]int64{mailing.StatusCompleted: completed, mailing.StatusCancelled: 0},
		Counts:   map[mailing.Status]mailing.Counts{mailing.StatusCompleted: c, mailing.StatusCancelled: {}},
	}
}

// oneFailed stores a mailing that is not finished. The message to client 19 has failed;
// all others were sent. oneFailed returns the dead letter of that failure.
func oneFailed(t *testing.T, s *dynamo.Store) (mailing.Mailing, mailing.DeadLetter) {
	t.Helper()
	m := inEverySlice(t, s, func(id mailing.ClientID) mailing.MessageStatus {
		if id == 19 {
			return mailing.Failed
		}
		return mailing.Sent
	})
	return m, letterOf(m, mailing.Recipient{Client: 19, At: noon.Add(-time.Hour)})
}

var (
	allTerminal = mailing.Counts{Total: 16, Sent: 15, Failed: 1}
	oneRequeued = mailing.Counts{Total: 16, Sent: 15, Queued: 1}
)

func finishIfDone(t *testing.T, s *dynamo.Store, id mailing.ID) bool {
	t.Helper()
	finished, err := s.FinishMailing(t.Context(), mailing.Mailing{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return finished
}

func TestOnlyTheFailureThatALetterReportsIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	m := newMailing(t, s, noon)
	batches := writeSlice(t, s, m, 3,
		[]mailing.Recipient{failedTo(19), failedTo(35), failedTo(51), sentTo(67)},
		[]mailing.Recipient{failedTo(83), queuedTo(99)},
	)
	mustClaim(t, s, batches[1].Key, "me", noon, noon.Add(time.Minute))

	same, twice, busy := letterOf(m, failedTo(19)), letterOf(m, failedTo(19)), letterOf(m, failedTo(83))
	same.At = same.At.Add(999 * time.Microsecond) // finer than what is stored
	otherTry, otherTime, done, unknown := letterOf(m, failedTo(35)), letterOf(m, failedTo(51)), letterOf(m, sentTo(67)), letterOf(m, failedTo(115))
	otherTry.Attempts = 2
	otherTime.At = otherTime.At.Add(time.Millisecond)
	redriven, r := redrive(t, s, m.ID, same, otherTry, otherTime, done, unknown, busy, twice)
	wantRedriving(t, r, mailing.Redriving{
		Requeued: []mailing.DeadLetter{same, twice}, Stale: []mailing.DeadLetter{otherTry, otherTime, done, unknown}, Kept: []mailing.DeadLetter{busy},
	})
	if stored, err := s.Mailing(t.Context(), m.ID); err != nil || !cmp.Equal(stored, redriven) || stored.Version != m.Version+1 {
		t.Errorf("%v, the returned mailing (-stored +returned):\n%s", err, cmp.Diff(stored, redriven))
	}
	if diff := cmp.Diff(mailing.Counts{Total: 6, Queued: 2, Failed: 3, Sent: 1}, wantExact(t, s, m.ID, 3)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	got := mustClaim(t, s, batches[0].Key, "me", noon, noon.Add(time.Minute))
	want := []mailing.Recipient{{Client: 19, Status: mailing.Queued, At: noon, Error: "http_400"}, failedTo(35), failedTo(51), sentTo(67)}
	if diff := cmp.Diff(want, got.Recipients); diff != "" {
		t.Errorf("recipients (-want +got):\n%s", diff)
	}
}

func TestARedriveThatIsRepeatedIsStale(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	m := newMailing(t, s, noon)
	b := writeSlice(t, s, m, 3, []mailing.Recipient{failedTo(19)})[0]
	letter := letterOf(m, failedTo(19))
	redriven, _ := redrive(t, s, m.ID, letter)
	_, r := redrive(t, s, m.ID, letter)
	wantRedriving(t, r, mailing.Redriving{Stale: []mailing.DeadLetter{letter}})

	// The letter is stale even if the message has failed again since, in the same way.
	failedAgain := failedTo(19)
	failedAgain.At = noon
	settleAs(t, s, m, mustClaim(t, s, b.Key, "me", noon, noon.Add(time.Minute)), failedAgain)
	_, r = redrive(t, s, m.ID, letter)
	wantRedriving(t, r, mailing.Redriving{Stale: []mailing.DeadLetter{letter}})
	if diff := cmp.Diff(counts(mailing.Failed, 1), wantExact(t, s, m.ID, 3)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if stored, err := s.Mailing(t.Context(), m.ID); err != nil || stored.Version != redriven.Version {
		t.Errorf("stale letters change the mailing: version %d, want %d, %v", stored.Version, redriven.Version, err)
	}
}

func TestARedriveReopensACompletedMailingWithItsCountsOrNotAtAll(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		e := dynamotest.Start(t)
		s := e.Store(atNoon())
		m, letter := oneFailed(t, s)
		if !finishIfDone(t, s, m.ID) {
			t.Fatal("it is not finished")
		}
		completed := mailingState{mailing.StatusCompleted, true, false, summed(1, allTerminal), allTerminal}
		wantState(t, s, m.ID, completed)

		faults, down := dynamotest.NewFaults(e.Client), errors.New("down")
		faults.On(dynamotest.TransactWriteItems, n, dynamotest.Fault{Refuse: down})
		reopened, r, err := e.StoreOver(faults, atNoon()).Redrive(t.Context(), m.ID, []mailing.DeadLetter{letter})
		if faults.Calls(dynamotest.TransactWriteItems) >= n {
			if !errors.Is(err, down) {
				t.Errorf("cut in transaction %d: error is %v", n, err)
			}
			wantState(t, s, m.ID, completed)
			if got := statusOf(t, s, m, 19); got != mailing.Failed {
				t.Errorf("cut in transaction %d: the message is %s", n, got)
			}
			continue
		}
		if err != nil || reopened.Status != mailing.StatusRunning {
			t.Errorf("it is %s, %v", reopened.Status, err)
		}
		wantRedriving(t, r, mailing.Redriving{Requeued: []mailing.DeadLetter{letter}})
		wantState(t, s, m.ID, mailingState{mailing.StatusRunning, false, true, summed(0, mailing.Counts{}), oneRequeued})
		if finishIfDone(t, s, m.ID) {
			t.Error("it is finished with a pending message")
		}
		return
	}
}

func TestACompletedMailingWithoutFailuresStaysCompleted(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	m, letter := oneFailed(t, s)
	finishIfDone(t, s, m.ID)
	before := stateOf(t, s, m.ID)
	letter.Attempts++
	_, r := redrive(t, s, m.ID, letter)
	wantRedriving(t, r, mailing.Redriving{Stale: []mailing.DeadLetter{letter}})
	_, r = redrive(t, s, m.ID)
	wantRedriving(t, r, mailing.Redriving{})
	wantState(t, s, m.ID, before)
}

func TestAMailingIsNotFinishedByAStateThatWasReadBeforeARedrive(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store(atNoon())
	m, letter := oneFailed(t, s)
	faults := dynamotest.NewFaults(e.Client)
	faults.On(dynamotest.TransactWriteItems, 1, dynamotest.Fault{Before: func() { redrive(t, s, m.ID, letter) }})
	if finishIfDone(t, e.StoreOver(faults, atNoon()), m.ID) || faults.Calls(dynamotest.TransactWriteItems) != 1 {
		t.Errorf("the mailing is finished, or FinishMailing has tried again: %d writes", faults.Calls(dynamotest.TransactWriteItems))
	}
	wantState(t, s, m.ID, mailingState{mailing.StatusRunning, false, true, summed(0, mailing.Counts{}), oneRequeued})
}

func TestARedriveDuringWhichTheMailingFinishesReopensIt(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store(atNoon())
	m, letter := oneFailed(t, s)
	faults := dynamotest.NewFaults(e.Client)
	faults.On(dynamotest.TransactWriteItems, 1, dynamotest.Fault{Before: func() {
		if !finishIfDone(t, s, m.ID) {
			t.Error("it is not finished")
		}
	}})
	_, r := redrive(t, e.StoreOver(faults, atNoon()), m.ID, letter)
	wantRedriving(t, r, mailing.Redriving{Requeued: []mailing.DeadLetter{letter}})
	wantState(t, s, m.ID, mailingState{mailing.StatusRunning, false, true, summed(0, mailing.Counts{}), oneRequeued})
}

func TestFinishesAndRedrivesAtOnceLeaveTheMailingOpenAndTheFailureQueuedOnce(t *testing.T) {
	t.Parallel()
	runs := 3
	if dynamotest.Fast {
		runs = 200
	}
	for range runs {
		s := dynamotest.Store(t, atNoon())
		m, letter := oneFailed(t, s)
		var wg sync.WaitGroup
		var mu sync.Mutex
		requeued := 0
		for range 2 {
			wg.Go(func() {
				if _, err := s.FinishMailing(t.Context(), m); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				_, r, err := s.Redrive(t.Context(), m.ID, []mailing.DeadLetter{letter})
				mu.Lock()
				defer mu.Unlock()
				if requeued += len(r.Requeued); err != nil || len(r.Kept) > 0 {
					t.Errorf("%v, %v", r, err)
				}
			})
		}
		wg.Wait()
		if requeued != 1 {
			t.Errorf("queued again %d times", requeued)
		}
		wantState(t, s, m.ID, mailingState{mailing.StatusRunning, false, true, summed(0, mailing.Counts{}), oneRequeued})
		if t.Failed() {
			return
		}
	}
}

func TestALetterWhoseBatchIsTakenWhileItIsRedrivenIsKept(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store(atNoon())
	m := newMailing(t, s, noon)
	b := writeSlice(t, s, m, 3, []mailing.Recipient{failedTo(19), queuedTo(35)})[0]
	faults := dynamotest.NewFaults(e.Client)
	faults.On(dynamotest.TransactWriteItems, 1, dynamotest.Fault{Before: func() {
		mustClaim(t, s, b.Key, "me", noon, noon.Add(time.Minute))
	}})
	letter := letterOf(m, failedTo(19))
	_, r := redrive(t, e.StoreOver(faults, atNoon()), m.ID, letter)
	wantRedriving(t, r, mailing.Redriving{Kept: []mailing.DeadLetter{letter}})
	if held := readBatch(t, s, b.Key); held.Holder != "me" || held.Recipients[0].Status != mailing.Failed {
		t.Errorf("the batch is %+v", held)
	}
	// The letter can be requeued after the sender has settled the batch.
	settleAs(t, s, m, readBatch(t, s, b.Key), failedTo(19), sentTo(35))
	_, r = redrive(t, s, m.ID, letter)
	wantRedriving(t, r, mailing.Redriving{Requeued: []mailing.DeadLetter{letter}})
}

func TestLettersThatDoNotFitIntoOneTransactionAreKept(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	m := newMailing(t, s, noon)
	// There are 96 batches in all slices, with two failures each. One transaction
	// holds 64 of them.
	var letters []mailing.DeadLetter
	for slice := range mailing.Slices {
		var batches [][]mailing.Recipient
		to := inSlice(slice, 12)
		for i := range 6 {
			batches = append(batches, []mailing.Recipient{failedTo(to[2*i]), failedTo(to[2*i+1])})
			letters = append(letters, letterOf(m, failedTo(to[2*i])), letterOf(m, failedTo(to[2*i+1])))
		}
		writeSlice(t, s, m, slice, batches...)
	}
	requeued := 0
	for _, want := range []int{128, 64} {
		_, r := redrive(t, s, m.ID, letters...)
		if len(r.Requeued) != want || len(r.Stale) > 0 || len(r.Kept) != len(letters)-want {
			t.Fatalf("%d requeued, %d stale, %d kept", len(r.Requeued), len(r.Stale), len(r.Kept))
		}
		requeued += len(r.Requeued)
		letters = r.Kept
	}
	var sum mailing.Counts
	for slice := range mailing.Slices {
		sum = sum.Plus(wantExact(t, s, m.ID, slice))
	}
	if diff := cmp.Diff(counts(mailing.Queued, int64(requeued)), sum); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestAMailingThatHasEndedIsNotRedriven(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(mailing.Mailing) (mailing.Mailing, error)
		later  time.Duration
		want   mailing.Kind
	}{
		{"its end has come", nil, 24 * time.Hour, mailing.KindConflict},
		{"cancelled", func(m mailing.Mailing) (mailing.Mailing, error) { return m.Cancelled(noon) }, 0, mailing.KindConflict},
		{"deleted", func(m mailing.Mailing) (mailing.Mailing, error) { return m.AsDeleted(noon), nil }, 0, mailing.KindNotFound},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			clock := dynamotest.NewClock(noon)
			s := dynamotest.Store(t, clock.Option())
			m := newMailing(t, s, noon)
			writeSlice(t, s, m, 3, []mailing.Recipient{failedTo(19)})
			if test.change != nil {
				change(t, s, m.ID, test.change)
			}
			clock.Advance(test.later)
			_, r, err := s.Redrive(t.Context(), m.ID, []mailing.DeadLetter{letterOf(m, failedTo(19))})
			wantKind(t, err, test.want)
			wantRedriving(t, r, mailing.Redriving{})
			if diff := cmp.Diff(counts(mailing.Failed, 1), wantExact(t, s, m.ID, 3)); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
	_, _, err := dynamotest.Store(t).Redrive(t.Context(), 5, nil)
	wantKind(t, err, mailing.KindNotFound)
	_, _, err = dynamotest.Store(t).Redrive(t.Context(), mailing.TestMailing, nil)
	wantKind(t, err, mailing.KindNotFound)
}

func TestLettersOfAMailingThatOthersKeepChangingAreKept(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	m, letter := oneFailed(t, e.Store(atNoon()))
	faults := dynamotest.NewFaults(e.Client)
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Refuse: &types.ConditionalCheckFailedException{}})
	_, r := redrive(t, e.StoreOver(faults, atNoon()), m.ID, letter)
	wantRedriving(t, r, mailing.Redriving{Kept: []mailing.DeadLetter{letter}})
	if n := faults.Calls(dynamotest.TransactWriteItems); n < 2 || n > 20 {
		t.Errorf("it was tried %d times", n)
	}
}
