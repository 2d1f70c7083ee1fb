package dynamo_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// sliceBatches reads all batches of a slice, page by page.
func sliceBatches(t *testing.T, s *dynamo.Store, id mailing.ID, slice int) []mailing.Batch {
	t.Helper()
	return all(t, 64, func(after string) (mailing.List[mailing.Batch], error) {
		batches, next, err := s.SliceBatches(t.Context(), id, slice, after)
		return mailing.List[mailing.Batch]{Items: batches, Next: next}, err
	})
}

// inSlice returns n clients of a slice.
func inSlice(slice, n int) []mailing.ClientID {
	ids := make([]mailing.ClientID, n)
	for i := range ids {
		ids[i] = mailing.ClientID(mailing.Slices*(i+1) + slice)
	}
	return ids
}

// writeSlice writes batches of one slice as its only page, so that the slice is
// expanded. It returns the batches as they are stored. A batch with a pending message
// is due at noon.
func writeSlice(t *testing.T, s *dynamo.Store, m mailing.Mailing, slice int, recipients ...[]mailing.Recipient) []mailing.Batch {
	t.Helper()
	p := mailing.Page{Mailing: m.ID, Slice: slice, Done: true}
	for i, some := range recipients {
		b := mailing.Batch{
			Key: mailing.BatchKey{Mailing: m.ID, Slice: slice, Batch: mailing.BatchID{First: recipients[0][0].Client, N: i}}, CreatedAt: noon, Recipients: some,
		}
		if b.Pending() {
			b.DueAt = noon
		}
		p.Batches, p.Counts = append(p.Batches, b), p.Counts.Plus(mailing.CountRecipients(some))
		p.Next = some[len(some)-1].Client
	}
	if written, err := s.WritePage(t.Context(), m, p); err != nil || !written {
		t.Fatalf("write a page: %t, %v", written, err)
	}
	return p.Batches
}

// failedTo returns a message that failed at its first attempt, an hour ago.
func failedTo(client mailing.ClientID) mailing.Recipient {
	return mailing.Recipient{Client: client, Status: mailing.Failed, Attempts: 1, At: noon.Add(-time.Hour), Error: "http_400"}
}

func sentTo(client mailing.ClientID) mailing.Recipient {
	return mailing.Recipient{Client: client, Status: mailing.Sent, Attempts: 1, At: noon.Add(-time.Hour)}
}

func queuedTo(client mailing.ClientID) mailing.Recipient {
	return mailing.Recipient{Client: client, Status: mailing.Queued, At: noon.Add(-time.Hour)}
}

// settleAs settles a held batch with changed recipients.
func settleAs(t *testing.T, s *dynamo.Store, m mailing.Mailing, b mailing.Batch, recipients ...mailing.Recipient) {
	t.Helper()
	after := b
	after.Recipients, after.Holder, after.LeaseUntil, after.Claims, after.DueAt = recipients, "", time.Time{}, 0, time.Time{}
	if after.Pending() {
		after.DueAt = noon
	}
	change := mailing.CountRecipients(recipients).Minus(mailing.CountRecipients(b.Recipients))
	lost, err := s.Settle(t.Context(), m, b.Key.Slice, []mailing.Settlement{{Batch: after, Holder: b.Holder, Change: change}})
	if err != nil || len(lost) > 0 {
		t.Fatalf("settle: %v lost, %v", lost, err)
	}
}

// requeuings returns batches with all their failures queued again at noon.
func requeuings(batches []mailing.Batch) []mailing.Requeuing {
	var rs []mailing.Requeuing
	for _, b := range batches {
		if r, ok := b.Requeued(func(mailing.Recipient) bool { return true }, noon); ok {
			rs = append(rs, r)
		}
	}
	return rs
}

// wantExact checks that the counts of a slice match its messages, and returns them.
func wantExact(t *testing.T, s *dynamo.Store, id mailing.ID, slice int) mailing.Counts {
	t.Helper()
	var want mailing.Counts
	for _, b := range sliceBatches(t, s, id, slice) {
		want = want.Plus(mailing.CountRecipients(b.Recipients))
	}
	state, err := s.Slice(t.Context(), id, slice)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, state.Counts); diff != "" {
		t.Errorf("counts of the messages and of the slice (-want +got):\n%s", diff)
	}
	return state.Counts
}

func TestTheBatchesOfASliceAreEachReadOnce(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	for _, n := range []int{0, 1, 63, 64, 65, 128, 150} {
		m := newMailing(t, e.Store(atNoon()), noon)
		expand(t, e.Store(atNoon()), m, noon, append(inSlice(2, 3), inSlice(4, 3)...), 10, 1, everyone(mailing.Failed)) // in other slices
		if n > 0 {
			expand(t, e.Store(atNoon()), m, noon, inSlice(3, n), 40, 1, everyone(mailing.Failed))
		}
		for name, s := range map[string]*dynamo.Store{
			"large pages": e.Store(atNoon()), "small pages of DynamoDB": e.StoreOver(smallPages{e.Client, 7}, atNoon()),
		} {
			var got []mailing.ClientID
			for _, b := range sliceBatches(t, s, m.ID, 3) {
				got = append(got, b.Recipients[0].Client)
			}
			if diff := cmp.Diff(inSlice(3, n), got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%d batches, %s (-want +got):\n%s", n, name, diff)
			}
		}
	}
}

func TestAPageOfBatchesIsNotLargerThanOneTransactionCanRequeue(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	faults := dynamotest.NewFaults(e.Client)
	s := e.StoreOver(faults, atNoon())
	m := newMailing(t, e.Store(atNoon()), noon)
	expand(t, e.Store(atNoon()), m, noon, inSlice(3, 150), 80, 1, everyone(mailing.Failed))
	pages := 0
	for after := ""; pages == 0 || after != ""; pages++ {
		batches, next, err := s.SliceBatches(t.Context(), m.ID, 3, after)
		if err != nil {
			t.Fatal(err)
		}
		if left, err := s.Requeue(t.Context(), m, 3, requeuings(batches)); err != nil || len(left) > 0 {
			t.Fatalf("%d batches: %d left, %v", len(batches), len(left), err)
		}
		after = next
	}
	if n := faults.Calls(dynamotest.TransactWriteItems); n != pages || pages < 2 {
		t.Errorf("%d pages took %d transactions", pages, n)
	}
	if diff := cmp.Diff(counts(mailing.Queued, 150), wantExact(t, s, m.ID, 3)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestARetryReadsFailuresByThePresentEnd(t *testing.T) {
	t.Parallel()
	clock := dynamotest.NewClock(noon)
	s := dynamotest.Store(t, clock.Option())
	m := newMailing(t, s, noon)
	batches := writeSlice(t, s, m, 3, []mailing.Recipient{failedTo(19)}, []mailing.Recipient{queuedTo(35)})
	m = moveEnd(t, s, m, 2*dynamotest.Retention)
	clock.Advance(m.EndAt.Sub(noon) - time.Hour) // the retention after the old end is over
	if diff := cmp.Diff(batches, sliceBatches(t, s, m.ID, 3)); diff != "" {
		t.Errorf("it reads (-want +got):\n%s", diff)
	}
}

func TestRequeuedFailuresCanBeClaimedAtOnceWithFreshAttempts(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	m := newMailing(t, s, noon)
	batches := writeSlice(t, s, m, 3, []mailing.Recipient{failedTo(19), sentTo(35)}, []mailing.Recipient{sentTo(51)}, []mailing.Recipient{failedTo(67)})
	if left, err := s.Requeue(t.Context(), m, 3, requeuings(batches)); err != nil || len(left) > 0 {
		t.Fatal(left, err)
	}
	again := func(client mailing.ClientID) mailing.Recipient {
		return mailing.Recipient{Client: client, Status: mailing.Queued, At: noon, Error: "http_400"}
	}
	got := mustClaim(t, s, batches[0].Key, "me", noon, noon.Add(time.Minute))
	if diff := cmp.Diff([]mailing.Recipient{again(19), sentTo(35)}, got.Recipients); diff != "" {
		t.Errorf("recipients (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(mailing.Counts{Total: 4, Queued: 2, Sent: 2}, wantExact(t, s, m.ID, 3)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestHeldAndChangedBatchesAreLeftWhileTheOthersAreRequeued(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	m := newMailing(t, s, noon)
	batches := writeSlice(t, s, m, 3,
		[]mailing.Recipient{failedTo(19), queuedTo(35)}, // held during the requeue
		[]mailing.Recipient{failedTo(51), queuedTo(67)}, // changed before the requeue
		[]mailing.Recipient{failedTo(83), queuedTo(99)}, // its sender was killed
		[]mailing.Recipient{failedTo(115), queuedTo(131)},
	)
	asRead := requeuings(sliceBatches(t, s, m.ID, 3))
	mustClaim(t, s, batches[0].Key, "me", noon, noon.Add(time.Minute))
	settleAs(t, s, m, mustClaim(t, s, batches[1].Key, "me", noon, noon.Add(time.Minute)), failedTo(51), sentTo(67))
	mustClaim(t, s, batches[2].Key, "killed", noon.Add(-time.Hour), noon.Add(-time.Minute))

	left, err := s.Requeue(t.Context(), m, 3, asRead)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]mailing.BatchKey{batches[0].Key, batches[1].Key, batches[2].Key}, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(mailing.Counts{Total: 8, Queued: 4, Failed: 3, Sent: 1}, wantExact(t, s, m.ID, 3)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if held := readBatch(t, s, batches[0].Key); held.Holder != "me" {
		t.Errorf("the requeue took the batch from its holder: %+v", held)
	}
}

func TestRequeueingTheSameFailuresTwiceCountsThemOnce(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	faults := dynamotest.NewFaults(e.Client)
	s := e.StoreOver(faults, atNoon())
	m := newMailing(t, e.Store(atNoon()), noon)
	rs := requeuings(writeSlice(t, e.Store(atNoon()), m, 3, []mailing.Recipient{failedTo(19), failedTo(35)}, []mailing.Recipient{failedTo(51)}))
	// The answer of the first call is lost, so that it is repeated within the call.
	faults.On(dynamotest.TransactWriteItems, 1, dynamotest.Fault{Lose: dynamotest.Conflicted()})
	for _, want := range []int{0, len(rs)} {
		if left, err := s.Requeue(t.Context(), m, 3, rs); err != nil || len(left) != want {
			t.Errorf("%d left, want %d, %v", len(left), want, err)
		}
		if diff := cmp.Diff(counts(mailing.Queued, 3), wantExact(t, s, m.ID, 3)); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
	}
	written := faults.Calls(dynamotest.TransactWriteItems)
	if left, err := s.Requeue(t.Context(), m, 3, nil); err != nil || len(left) > 0 || faults.Calls(dynamotest.TransactWriteItems) != written {
		t.Errorf("without failures: %v, %v, %d writes", left, err, faults.Calls(dynamotest.TransactWriteItems)-written)
	}
}

func TestFailuresThatCannotBeRequeuedAreAnErrorAndStay(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	m := newMailing(t, e.Store(atNoon()), noon)
	batches := writeSlice(t, e.Store(atNoon()), m, 3, []mailing.Recipient{failedTo(19)})
	faults, down := dynamotest.NewFaults(e.Client), errors.New("down")
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Refuse: down})
	faults.Always(dynamotest.Query, dynamotest.Fault{Refuse: down})
	s := e.StoreOver(faults, atNoon())
	if _, err := s.Requeue(t.Context(), m, 3, requeuings(batches)); !errors.Is(err, down) {
		t.Errorf("error is %v", err)
	}
	if _, _, err := s.SliceBatches(t.Context(), m.ID, 3, ""); !errors.Is(err, down) {
		t.Errorf("reading: error is %v", err)
	}
	if diff := cmp.Diff(counts(mailing.Failed, 1), wantExact(t, e.Store(atNoon()), m.ID, 3)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestTheLaterOfTwoRetriesStaysMarked(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	m := newMailing(t, s, noon)
	writeSlice(t, s, m, 3, []mailing.Recipient{failedTo(19)})
	want := mailing.SliceState{Cursor: 19, Done: true, Counts: counts(mailing.Failed, 1), Head: 19, HeadBatches: 1, Batches: 1}
	for _, step := range []struct {
		name       string
		mark, stay time.Duration // after noon
	}{
		{"the first", time.Minute, time.Minute},
		{"the same again", time.Minute, time.Minute},
		{"an earlier one, marked late", 0, time.Minute},
		{"a later one", time.Minute + time.Millisecond, time.Minute + time.Millisecond},
		{"the first once more", time.Minute, time.Minute + time.Millisecond},
	} {
		if err := s.MarkRetried(t.Context(), m.ID, 3, noon.Add(step.mark)); err != nil {
			t.Fatal(err)
		}
		got, err := s.Slice(t.Context(), m.ID, 3)
		want.RetriedAt = noon.Add(step.stay)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", step.name, err, diff)
		}
	}
}

func TestASliceCanBeMarkedAsRetriedBeforeItIsExpanded(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	m := newMailing(t, s, noon)
	if err := s.MarkRetried(t.Context(), m.ID, 3, noon); err != nil {
		t.Fatal(err)
	}
	writeSlice(t, s, m, 3, []mailing.Recipient{queuedTo(19)})
	want := mailing.SliceState{Cursor: 19, Done: true, Counts: counts(mailing.Queued, 1), RetriedAt: noon, Head: 19, HeadBatches: 1, Batches: 1}
	if got, err := s.Slice(t.Context(), m.ID, 3); err != nil || !cmp.Equal(want, got) {
		t.Errorf("%v, %s", err, cmp.Diff(want, got))
	}
}

// inEverySlice stores a running mailing that is expanded, with a message to one client
// of each slice.
func inEverySlice(t *testing.T, s *dynamo.Store, status func(mailing.ClientID) mailing.MessageStatus) mailing.Mailing {
	t.Helper()
	m := newMailing(t, s, noon)
	var to []mailing.ClientID
	for slice := range mailing.Slices {
		to = append(to, mailing.ClientID(mailing.Slices+slice))
	}
	expand(t, s, m, noon.Add(-time.Hour), to, 10, 10, status)
	return m
}

func TestAMailingIsNotFinishedWhileFailuresWaitToBeQueuedAgain(t *testing.T) {
	t.Parallel()
	clock := dynamotest.NewClock(noon)
	s := dynamotest.Store(t, clock.Option())
	m := inEverySlice(t, s, everyone(mailing.Failed))
	finished := func() bool {
		t.Helper()
		done, err := s.FinishMailing(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	retried := change(t, s, m.ID, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Retried(true, false, noon) })
	for slice := range mailing.Slices {
		if finished() {
			t.Fatalf("it is finished before slice %d was marked", slice)
		}
		if err := s.MarkRetried(t.Context(), m.ID, slice, retried.RetriedAt); err != nil {
			t.Fatal(err)
		}
	}
	if !finished() {
		t.Error("it is not finished although all slices are marked")
	}

	again := change(t, s, m.ID, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Retried(true, false, noon.Add(time.Second)) })
	if again.Status != mailing.StatusRunning || finished() {
		t.Errorf("retried once more it is %s, or finished", again.Status)
	}
	clock.Advance(m.EndAt.Sub(noon))
	if !finished() {
		t.Error("after its end nothing can be queued again, but it is not finished")
	}
}

func TestABatchIsReadAsItWasSettled(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	m := newMailing(t, s, noon)
	stored := writeSlice(t, s, m, 3, []mailing.Recipient{queuedTo(19), queuedTo(35)})[0]
	b := mustClaim(t, s, stored.Key, "me", noon, noon.Add(time.Minute))
	b.Recipients = []mailing.Recipient{
		{Client: 19, Status: mailing.Retrying, Attempts: 3, Uncertain: 2, At: noon, Error: "timeout", NotBefore: noon.Add(90 * time.Second)},
		{Client: 35, Status: mailing.Deferred, At: noon.Add(time.Millisecond)},
	}
	b.Holder, b.LeaseUntil, b.Claims, b.Round, b.Generation = "", time.Time{}, 0, 4, 2
	b.NotBefore, b.DueAt = noon.Add(time.Minute), noon.Add(2*time.Minute)
	if lost, err := s.Settle(t.Context(), m, 3, []mailing.Settlement{{Batch: b, Holder: "me", Change: mailing.Counts{Queued: -2, Retrying: 1, Deferred: 1}}}); err != nil || len(lost) > 0 {
		t.Fatal(lost, err)
	}
	if diff := cmp.Diff(b, readBatch(t, s, b.Key)); diff != "" {
		t.Errorf("batch (-want +got):\n%s", diff)
	}
}
