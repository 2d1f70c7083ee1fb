package dynamo_test

import (
	"slices"
	"testing"
	"time"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// twoBatches holds two batches of a mailing in one slice, with two clients each.
type twoBatches struct {
	t       *testing.T
	env     *dynamotest.Env
	store   *dynamo.Store
	mailing mailing.Mailing
	keys    [2]mailing.BatchKey
}

func waitingBatches(t *testing.T) *twoBatches {
	t.Helper()
	h := &twoBatches{t: t, env: dynamotest.Start(t)}
	h.store = h.env.Store(dynamotest.NewClock(noon).Option())
	h.mailing = newMailing(t, h.store, noon)
	expand(t, h.store, h.mailing, noon, []mailing.ClientID{16, 32, 48, 64}, 2, 2, everyone(mailing.Queued))
	for i, first := range []mailing.ClientID{16, 48} {
		h.keys[i] = mailing.BatchKey{Mailing: h.mailing.ID, Batch: mailing.BatchID{First: first}}
	}
	return h
}

// claim claims one of the batches for a minute. It fails the test unless the claim is
// allowed or refused as expected.
func (h *twoBatches) claim(batch int, holder string, now time.Time, allowed bool) mailing.Batch {
	h.t.Helper()
	b, ok, err := h.store.Claim(h.t.Context(), h.keys[batch], holder, now, now.Add(time.Minute))
	if err != nil || ok != allowed {
		h.t.Fatalf("%s claims at %s: allowed %t, %v", holder, now.Format(time.TimeOnly), ok, err)
	}
	return b
}

// allSent returns the settlement of a batch of which every message was sent.
func allSent(b mailing.Batch, holder string) mailing.Settlement {
	recipients := slices.Clone(b.Recipients)
	for i := range recipients {
		recipients[i].Status, recipients[i].Attempts, recipients[i].At = mailing.Sent, 1, noon
	}
	none := func(time.Duration) time.Duration { return 0 }
	return mailing.Settlement{
		Batch: b.Settled(recipients, make([]mailing.Wait, len(recipients)), 0, noon, none), Holder: holder,
		Change: mailing.CountRecipients(recipients).Minus(mailing.CountRecipients(b.Recipients)),
	}
}

// settle writes settlements. It fails the test unless exactly the batches lost are
// returned as lost.
func (h *twoBatches) settle(lost []mailing.BatchKey, settlements ...mailing.Settlement) {
	h.t.Helper()
	got, err := h.store.Settle(h.t.Context(), h.mailing, 0, settlements)
	if err != nil || !slices.Equal(got, lost) {
		h.t.Fatalf("settled: lost %v, %v; want %v", got, err, lost)
	}
}

// counts checks that the stored counts match the messages, and returns them.
func (h *twoBatches) counts() mailing.Counts {
	h.t.Helper()
	p, err := h.store.Progress(h.t.Context(), []mailing.Mailing{h.mailing})
	if err != nil {
		h.t.Fatal(err)
	}
	batches, _, err := h.store.SliceBatches(h.t.Context(), h.mailing.ID, 0, "")
	if err != nil {
		h.t.Fatal(err)
	}
	var recount mailing.Counts
	for _, b := range batches {
		recount = recount.Plus(mailing.CountRecipients(b.Recipients))
	}
	if recount != p[0].Counts {
		h.t.Errorf("the messages are %+v, the stored counts are %+v", recount, p[0].Counts)
	}
	return p[0].Counts
}

func TestAClaimIsRefusedWhileAnothersLeaseIsLive(t *testing.T) {
	t.Parallel()
	h := waitingBatches(t)
	h.claim(0, "one", noon, true)
	h.claim(0, "two", noon, false)
	h.claim(0, "two", noon.Add(time.Minute-time.Millisecond), false)
	h.claim(0, "two", noon.Add(time.Minute), true)
	h.claim(0, "three", noon.Add(time.Minute), false)
}

func TestClaimsAreCountedUntilTheBatchIsSettled(t *testing.T) {
	t.Parallel()
	h := waitingBatches(t)
	for n := 1; n <= 3; n++ {
		at := noon.Add(time.Duration(n) * time.Hour)
		b := h.claim(0, "holder "+at.String(), at, true)
		if b.Claims != n {
			t.Errorf("claim %d: the batch counts %d claims", n, b.Claims)
		}
		if n < 3 {
			continue
		}
		left := allSent(b, b.Holder)
		left.Batch.Recipients[0].Status, left.Batch.DueAt = mailing.Retrying, at // one message is not finished
		left.Change = mailing.CountRecipients(left.Batch.Recipients).Minus(mailing.CountRecipients(b.Recipients))
		h.settle(nil, left)
	}
	if b := h.claim(0, "the next one", noon.Add(5*time.Hour), true); b.Claims != 1 {
		t.Errorf("after a settlement the batch counts %d claims, want 1", b.Claims)
	}
}

func TestAClaimThatIsRepeatedIsRecognised(t *testing.T) {
	t.Parallel()
	h := waitingBatches(t)
	first := h.claim(0, "one", noon, true)
	again := h.claim(0, "one", noon.Add(time.Millisecond), true)
	if again.Claims != 1 || !again.LeaseUntil.Equal(first.LeaseUntil) {
		t.Errorf("the batch counts %d claims, the last until %s", again.Claims, again.LeaseUntil)
	}
}

func TestAClaimedBatchIsDueAtTheEndOfItsLease(t *testing.T) {
	t.Parallel()
	h := waitingBatches(t)
	h.claim(0, "one", noon, true)
	var due []mailing.Due
	err := h.store.Due(t.Context(), h.mailing.ID, 0, noon.Add(time.Minute), func(rows []mailing.Due) (bool, error) {
		due = append(due, rows...)
		return true, nil
	})
	if err != nil || len(due) != 1 || due[0].Key != h.keys[0] || !due[0].DueAt.Equal(noon.Add(time.Minute)) {
		t.Errorf("due is %+v, %v", due, err)
	}
}

func TestOnlyItsHolderSettlesABatch(t *testing.T) {
	t.Parallel()
	h := waitingBatches(t)
	late := h.claim(0, "one", noon, true)
	other := h.claim(1, "one", noon, true)
	h.claim(0, "two", noon.Add(time.Minute), true)
	// The batch that lost its lease does not stop the settlement of the other.
	h.settle([]mailing.BatchKey{h.keys[0]}, allSent(late, "one"), allSent(other, "one"))
	if got := h.counts(); got != (mailing.Counts{Total: 4, Queued: 2, Sent: 2}) {
		t.Errorf("counts %+v", got)
	}
	// A repeated settlement changes nothing.
	h.settle(nil, allSent(other, "one"))
	if got := h.counts(); got != (mailing.Counts{Total: 4, Queued: 2, Sent: 2}) {
		t.Errorf("repeated: counts %+v", got)
	}
	h.settle(nil, allSent(late, "two"))
	if got := h.counts(); got != (mailing.Counts{Total: 4, Sent: 4}) {
		t.Errorf("counts %+v", got)
	}
}

func TestASettlementIsWrittenWithItsCountsOrNotAtAll(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		h := waitingBatches(t)
		b := h.claim(0, "one", noon, true)
		faults := dynamotest.NewFaults(h.env.Client)
		faults.On(dynamotest.TransactWriteItems, n, dynamotest.Fault{Refuse: errKilled})
		_, err := h.env.StoreOver(faults).Settle(t.Context(), h.mailing, 0, []mailing.Settlement{allSent(b, "one")})
		got := h.counts()
		if faults.Calls(dynamotest.TransactWriteItems) < n {
			if err != nil || got != (mailing.Counts{Total: 4, Queued: 2, Sent: 2}) {
				t.Errorf("without a fault: %+v, %v", got, err)
			}
			return
		}
		if err == nil {
			t.Errorf("killed in transaction %d, the settlement returns no error", n)
		}
	}
}
