package schedule_test

import (
	"testing"
	"time"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// settleAll expands slice 0 and leaves all of its messages sent.
func (w *world) settleAll() {
	w.t.Helper()
	if err := w.do(w.noFaults()); err != nil {
		w.t.Fatal(err)
	}
	for _, b := range w.batches() {
		w.settle(b.Key, mailing.Sent)
	}
	w.deliveries.take()
	w.tasks.take()
}

// settle claims a batch and leaves its messages with a status.
func (w *world) settle(k mailing.BatchKey, status mailing.MessageStatus) {
	w.t.Helper()
	now := w.clock.Now()
	b, ok, err := w.store.Claim(w.t.Context(), k, "me", now, now.Add(time.Minute))
	if err != nil || !ok {
		w.t.Fatalf("claim %s: %t, %v", k, ok, err)
	}
	recipients := make([]mailing.Recipient, len(b.Recipients))
	for i, rec := range b.Recipients {
		rec.Status = status
		recipients[i] = rec
	}
	settled := b.Settled(recipients, make([]mailing.Wait, len(recipients)), b.Generation, now, func(time.Duration) time.Duration { return 0 })
	lost, err := w.store.Settle(w.t.Context(), w.mailing, k.Slice, []mailing.Settlement{{
		Batch: settled, Holder: "me", Change: mailing.CountRecipients(recipients).Minus(mailing.CountRecipients(b.Recipients)),
	}})
	if err != nil || len(lost) > 0 {
		w.t.Fatalf("settle %s: %d lost, %v", k, len(lost), err)
	}
}

// edit changes the mailing.
func (w *world) edit(change func(mailing.Mailing) (mailing.Mailing, error)) {
	w.t.Helper()
	m, err := w.store.UpdateMailing(w.t.Context(), w.mailing.ID, change)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mailing = m
}

// putOff moves the end of the mailing to an hour later.
func (w *world) putOff() {
	w.t.Helper()
	w.edit(func(m mailing.Mailing) (mailing.Mailing, error) {
		d := m.Draft
		d.EndAt = m.EndAt.Add(time.Hour)
		return m.Edit(d, w.clock.Now())
	})
}

// extended reports whether slice 0 is marked as kept by the mailing's end.
func (w *world) extended() bool {
	w.t.Helper()
	state, err := w.store.Slice(w.t.Context(), w.mailing.ID, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return !w.mailing.Extends(state)
}

func TestSettledBatchesAreKeptLongerOnceNoSenderCanSettleByTheOldEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(mailing.BatchSize + 1)
	w.settleAll()
	w.putOff()
	w.clock.Advance(mailing.ExtendAfter - time.Millisecond)
	faults := w.noFaults()
	if err := w.do(faults); err != nil || w.extended() || faults.Calls(dynamotest.UpdateItem) > 0 {
		t.Errorf("a moment too early: extended %t, %d writes, %v", w.extended(), faults.Calls(dynamotest.UpdateItem), err)
	}
	if n := w.tasks.size(); n > 0 {
		t.Errorf("a task that comes too early queues %d tasks", n)
	}
	w.clock.Advance(time.Millisecond)
	faults = w.noFaults()
	faults.On(dynamotest.UpdateItem, 2, dynamotest.Fault{Refuse: errKilled})
	if err := w.do(faults); err == nil || w.extended() {
		t.Errorf("killed after the first batch: extended %t, %v", w.extended(), err)
	}
	faults = w.noFaults()
	if err := w.do(faults); err != nil || !w.extended() {
		t.Errorf("the task is repeated: extended %t, %v", w.extended(), err)
	}
	faults = w.noFaults()
	if err := w.do(faults); err != nil || faults.Calls(dynamotest.UpdateItem) > 0 {
		t.Errorf("batches that were extended are extended again: %d writes, %v", faults.Calls(dynamotest.UpdateItem), err)
	}
}

func TestASliceWithAHeldBatchIsExtendedByALaterSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(mailing.BatchSize + 1)
	if err := w.do(w.noFaults()); err != nil {
		t.Fatal(err)
	}
	batches := w.batches()
	w.settle(batches[0].Key, mailing.Sent)
	lease := w.clock.Now().Add(time.Minute)
	if _, ok, err := w.store.Claim(t.Context(), batches[1].Key, "a sender", w.clock.Now(), lease); !ok || err != nil {
		t.Fatal(ok, err)
	}
	w.putOff()
	w.clock.Advance(mailing.ExtendAfter)
	if err := w.do(w.noFaults()); err != nil || w.extended() {
		t.Errorf("a sender holds a batch: extended %t, %v", w.extended(), err)
	}
	// A holder whose lease is over cannot settle any more. The next sender that claims the
	// batch has read the new end.
	w.clock.AdvanceTo(lease)
	if err := w.do(w.noFaults()); err != nil || !w.extended() {
		t.Errorf("the lease is over: extended %t, %v", w.extended(), err)
	}
}

func TestAPausedMailingIsExtendedAndNoOtherWorkIsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(mailing.BatchSize + 1)
	if err := w.do(w.noFaults()); err != nil {
		t.Fatal(err)
	}
	batches := w.batches()
	w.settle(batches[0].Key, mailing.Failed)
	w.deliveries.take()
	now := w.clock.Now()
	w.edit(func(m mailing.Mailing) (mailing.Mailing, error) { return m.Retried(true, false, now) })
	w.edit(func(m mailing.Mailing) (mailing.Mailing, error) { return m.Paused(now) })
	w.putOff()
	w.clock.Advance(time.Hour) // the other batch is overdue
	if err := w.scheduler(w.noFaults()).Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, err := range w.scheduler(w.noFaults()).Do(t.Context(), w.tasks.take()) {
		if err != nil {
			t.Error(err)
		}
	}
	if !w.extended() || w.deliveries.size() > 0 {
		t.Errorf("extended %t, %d batches queued", w.extended(), w.deliveries.size())
	}
	if got := w.batches()[0].Recipients[0].Status; got != mailing.Failed {
		t.Errorf("the failed message is %s", got)
	}
	if err := w.scheduler(w.noFaults()).Sweep(t.Context()); err != nil || w.tasks.size() > 0 {
		t.Errorf("after the extension, a sweep queues %d tasks, %v", w.tasks.size(), err)
	}
}

func TestAnExtensionEndsWithItsTurnAndGoesOnInAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := mailing.Page{Mailing: w.mailing.ID, Done: true, Next: mailing.Slices * 80}
	for n := range 80 { // more than one page
		k := mailing.BatchKey{Mailing: w.mailing.ID, Batch: mailing.BatchID{First: mailing.Slices, N: n}}
		sent := mailing.Recipient{Client: mailing.ClientID(mailing.Slices * (n + 1)), Status: mailing.Sent, At: monday}
		page.Batches = append(page.Batches, mailing.Batch{Key: k, CreatedAt: monday, Recipients: []mailing.Recipient{sent}})
	}
	page.Counts = mailing.Counts{Total: 80, Sent: 80}
	if written, err := w.store.WritePage(t.Context(), w.mailing, page); err != nil || !written {
		t.Fatal(written, err)
	}
	w.putOff()
	w.clock.Advance(mailing.ExtendAfter)
	faults := w.noFaults()
	faults.On(dynamotest.UpdateItem, 1, dynamotest.Fault{Before: func() { w.clock.Advance(6 * time.Second) }})
	if err := w.do(faults); err != nil || w.extended() {
		t.Errorf("after the first turn: extended %t, %v", w.extended(), err)
	}
	tasks := w.tasks.take()
	if len(tasks) != 1 {
		t.Fatalf("%d tasks are queued", len(tasks))
	}
	faults = w.noFaults()
	for _, err := range w.scheduler(faults).Do(t.Context(), tasks) {
		if err != nil {
			t.Error(err)
		}
	}
	if n := faults.Calls(dynamotest.UpdateItem); !w.extended() || n != 80-64+1 { // the second page, and the mark
		t.Errorf("extended %t, %d writes", w.extended(), n)
	}
}
