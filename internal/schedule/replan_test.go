package schedule_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// QueueReplan records the instant until which a task for edited zones should continue.
func (q *fakeQueue[T]) QueueReplan(_ context.Context, until time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.replans = append(q.replans, until)
	return nil
}

// takeReplans empties replans and returns its entries.
func (q *fakeQueue[T]) takeReplans() []time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.replans
	q.replans = nil
	return all
}

// evening is a window that opens at 20:00. At the instant monday it is closed in each zone
// of these tests.
var evening = mailing.Window{From: mailing.ClockTime(20 * time.Hour), To: mailing.ClockTime(21 * time.Hour)}

// waiting returns a world with n messages in slice 0 that wait for the evening.
func waiting(t *testing.T, n int) *world {
	t.Helper()
	w := newWorld(t)
	w.edit(func(m mailing.Mailing) (mailing.Mailing, error) {
		d := m.Draft
		d.Window = &evening
		return m.Edit(d, w.clock.Now())
	})
	w.clients(n)
	if err := w.do(w.noFaults()); err != nil {
		t.Fatal(err)
	}
	w.tasks.take()
	return w
}

// rezone edits the zones of the clients whose messages are in slice 0, beginning with the
// client at index from.
func (w *world) rezone(from int) {
	w.t.Helper()
	n := 0
	for _, b := range w.batches() {
		for _, rec := range b.Recipients {
			if n++; n <= from {
				continue
			}
			_, err := w.store.UpdateClient(w.t.Context(), rec.Client, func(c mailing.Client) (mailing.Client, error) {
				c.Timezone = map[string]string{"UTC": "Asia/Vladivostok", "Asia/Vladivostok": "UTC"}[c.Timezone]
				return c, nil
			})
			if err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// storedEdits returns the number of edits that are stored for slice 0.
func (w *world) storedEdits() int {
	w.t.Helper()
	edits, err := w.store.ZoneEdits(w.t.Context(), 0, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(edits)
}

func (w *world) sweep(faults *dynamotest.Faults) error {
	return w.scheduler(faults).Sweep(w.t.Context())
}

func (w *world) replan(faults *dynamotest.Faults) error {
	return w.scheduler(faults).Replan(w.t.Context(), w.clock.Now().Add(time.Minute))
}

func TestASweepQueuesOneTaskForEditedZonesWhileAMessageMayWait(t *testing.T) {
	t.Parallel()
	w := waiting(t, 3)
	queued := func() []time.Time {
		t.Helper()
		if err := w.sweep(w.noFaults()); err != nil {
			t.Fatal(err)
		}
		return w.tasks.takeReplans()
	}
	if got := queued(); len(got) > 0 {
		t.Errorf("no zone was edited, and %d tasks are queued", len(got))
	}
	w.rezone(0)
	if diff := cmp.Diff([]time.Time{monday.Add(time.Minute)}, queued()); diff != "" {
		t.Errorf("edited (-want +got):\n%s", diff)
	}
	// Without a window no message waits by a zone: the edits stay stored, and no task is
	// queued.
	w.edit(func(m mailing.Mailing) (mailing.Mailing, error) {
		d := m.Draft
		d.Window = nil
		return m.Edit(d, w.clock.Now())
	})
	if got := queued(); len(got) > 0 || w.storedEdits() != 3 {
		t.Errorf("no message waits, and %d tasks are queued; %d edits are stored", len(got), w.storedEdits())
	}
}

func TestMessagesThatWaitByAnOldZoneAreFreedAndQueuedBeforeTheEditIsDeleted(t *testing.T) {
	t.Parallel()
	w := waiting(t, mailing.BatchSize+5)
	w.rezone(mailing.BatchSize) // the clients of the second batch
	for name, op := range map[string]dynamotest.Op{"the messages are freed": dynamotest.UpdateItem, "the edits are deleted": dynamotest.TransactWriteItems} {
		faults := w.noFaults()
		faults.On(op, 1, dynamotest.Fault{Refuse: errKilled})
		if err := w.replan(faults); err == nil || w.storedEdits() != 5 {
			t.Errorf("killed before %s: %v, %d edits are stored", name, err, w.storedEdits())
		}
	}
	w.deliveries.take()
	faults := w.noFaults()
	faults.On(dynamotest.TransactWriteItems, 1, dynamotest.Fault{Before: func() {
		if n := w.deliveries.size(); n != 1 {
			t.Errorf("%d batches are queued before the edits are deleted, want 1", n)
		}
	}})
	if err := w.replan(faults); err != nil || w.storedEdits() != 0 {
		t.Errorf("%v, %d edits are stored", err, w.storedEdits())
	}
	batches := w.batches()
	if diff := cmp.Diff([]mailing.BatchKey{batches[1].Key}, w.deliveries.take()); diff != "" {
		t.Errorf("queued (-want +got):\n%s", diff)
	}
	if batches[0].NotBefore.IsZero() || !batches[1].NotBefore.IsZero() {
		t.Errorf("the batches may be claimed from %s and %s on", batches[0].NotBefore, batches[1].NotBefore)
	}
	if want := monday.Add(mailing.QueuedOverdueAfter); !batches[1].DueAt.Equal(want) {
		t.Errorf("due at %s, want %s", batches[1].DueAt, want)
	}
	if n := len(w.tasks.takeReplans()); n > 0 {
		t.Errorf("after all edits, the task queues %d tasks", n)
	}
}

func TestAZoneEditOfAHeldBatchIsKeptUntilItsSenderHasSettled(t *testing.T) {
	t.Parallel()
	w := waiting(t, 1)
	k := w.batches()[0].Key
	opening := w.batches()[0].NotBefore
	w.clock.AdvanceTo(opening)
	w.rezone(0)
	lease := opening.Add(time.Minute)
	b, ok, err := w.store.Claim(t.Context(), k, "a sender", opening, lease)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := w.replan(w.noFaults()); err != nil || w.storedEdits() != 1 || w.deliveries.size() > 0 {
		t.Errorf("a sender holds the batch: %v, %d edits are stored, %d batches queued", err, w.storedEdits(), w.deliveries.size())
	}
	// The sender was frozen. It settles after the end of its lease, by the old zone.
	w.clock.AdvanceTo(lease)
	if err := w.replan(w.noFaults()); err != nil || w.storedEdits() != 1 || w.deliveries.size() > 0 {
		t.Errorf("the lease is over: %v, %d edits are stored, %d batches queued", err, w.storedEdits(), w.deliveries.size())
	}
	tomorrow := mailing.Wait{Kind: mailing.WaitUntil, Until: opening.Add(24 * time.Hour)}
	b.Recipients[0].NotBefore = tomorrow.Until
	settled := b.Settled(b.Recipients, []mailing.Wait{tomorrow}, b.Generation, lease, func(d time.Duration) time.Duration { return d })
	lost, err := w.store.Settle(t.Context(), w.mailing, k.Slice, []mailing.Settlement{{Batch: settled, Holder: "a sender"}})
	if len(lost) > 0 || err != nil {
		t.Fatal(lost, err)
	}
	if err := w.replan(w.noFaults()); err != nil || w.storedEdits() != 0 || w.deliveries.size() != 1 {
		t.Errorf("settled: %v, %d edits are stored, %d batches queued", err, w.storedEdits(), w.deliveries.size())
	}
	if b := w.batches()[0]; !b.NotBefore.IsZero() {
		t.Errorf("the batch may be claimed from %s on", b.NotBefore)
	}
}

func TestABatchThatIsClaimedAsItIsPlannedAgainIsLeftToALaterSweep(t *testing.T) {
	t.Parallel()
	w := waiting(t, 1)
	k := w.batches()[0].Key
	w.clock.AdvanceTo(w.batches()[0].NotBefore)
	w.rezone(0)
	faults := w.noFaults()
	faults.On(dynamotest.UpdateItem, 1, dynamotest.Fault{Before: func() {
		if _, ok, err := w.store.Claim(t.Context(), k, "a sender", w.clock.Now(), w.clock.Now().Add(time.Minute)); !ok || err != nil {
			t.Error(ok, err)
		}
	}})
	if err := w.replan(faults); err != nil || w.storedEdits() != 1 || w.deliveries.size() > 0 {
		t.Errorf("%v, %d edits are stored, %d batches queued", err, w.storedEdits(), w.deliveries.size())
	}
}

func TestAPausedMailingIsPlannedAgainAndQueuedByItsResume(t *testing.T) {
	t.Parallel()
	w := waiting(t, 1)
	w.edit(func(m mailing.Mailing) (mailing.Mailing, error) { return m.Paused(w.clock.Now()) })
	w.rezone(0)
	if err := w.replan(w.noFaults()); err != nil || w.storedEdits() != 0 || w.deliveries.size() > 0 {
		t.Errorf("%v, %d edits are stored, %d batches queued", err, w.storedEdits(), w.deliveries.size())
	}
	w.clock.Advance(time.Hour)
	w.edit(func(m mailing.Mailing) (mailing.Mailing, error) { return m.Resumed(w.clock.Now()) })
	if err := w.do(w.noFaults()); err != nil || w.deliveries.size() != 1 {
		t.Errorf("resumed: %v, %d batches queued", err, w.deliveries.size())
	}
}

func TestAMailingThatCannotBePlannedDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	w := waiting(t, 1)
	w.rezone(0)
	second, err := mailing.New(mailing.Draft{Text: "second", StartAt: monday, EndAt: monday.Add(24 * time.Hour), Window: &evening}, monday)
	if err == nil {
		second, err = w.store.CreateMailing(t.Context(), second, mailing.Idempotency{})
	}
	if err == nil {
		_, err = w.store.StartMailing(t.Context(), second.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	faults := w.noFaults()
	faults.On(dynamotest.GetItem, 2, dynamotest.Fault{Refuse: errKilled}) // the slice of the second mailing
	if err := w.replan(faults); err == nil || w.storedEdits() != 1 || w.deliveries.size() != 1 {
		t.Errorf("%v, %d edits are stored, %d batches queued", err, w.storedEdits(), w.deliveries.size())
	}
}

func TestManyEditsAreWorkedOnTurnByTurnUntilTheNextSweep(t *testing.T) {
	t.Parallel()
	w := waiting(t, 101)
	w.rezone(0)
	slow := func() *dynamotest.Faults {
		faults := w.noFaults()
		// The first page takes all of the turn.
		faults.On(dynamotest.TransactWriteItems, 1, dynamotest.Fault{Before: func() { w.clock.Advance(6 * time.Second) }})
		return faults
	}
	until := w.clock.Now().Add(time.Minute)
	if err := w.scheduler(slow()).Replan(t.Context(), until); err != nil || w.storedEdits() != 1 {
		t.Errorf("%v, %d edits are stored", err, w.storedEdits())
	}
	if diff := cmp.Diff([]time.Time{until}, w.tasks.takeReplans()); diff != "" {
		t.Errorf("queued (-want +got):\n%s", diff)
	}
	w.rezone(0) // edits all zones again
	w.clock.AdvanceTo(until.Add(-5 * time.Second))
	if err := w.scheduler(slow()).Replan(t.Context(), until); err != nil || len(w.tasks.takeReplans()) > 0 {
		t.Errorf("after the next sweep the task queues itself again, %v", err)
	}
}
