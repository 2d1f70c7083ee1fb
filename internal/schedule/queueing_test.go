package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
	"postrider/internal/schedule"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// monday is when these tests take place.
var monday = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// world is a store with one mailing that is due, and queues that a test can inspect.
type world struct {
	t          *testing.T
	env        *dynamotest.Env
	clock      *dynamotest.Clock
	store      *dynamo.Store
	mailing    mailing.Mailing
	deliveries fakeQueue[mailing.BatchKey]
	tasks      fakeQueue[mailing.Task]
	// reports is the number of runs of the reporter.
	reports int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, env: dynamotest.Start(t), clock: dynamotest.NewClock(monday)}
	w.store = w.env.Store(w.clock.Option())
	m, err := mailing.New(mailing.Draft{Text: "hello", StartAt: monday, EndAt: monday.Add(24 * time.Hour)}, monday)
	if err == nil {
		m, err = w.store.CreateMailing(t.Context(), m, mailing.Idempotency{})
	}
	if err == nil {
		w.mailing, err = w.store.StartMailing(t.Context(), m.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// scheduler returns a scheduler that meets faults on its way to DynamoDB.
func (w *world) scheduler(faults *dynamotest.Faults) *schedule.Scheduler {
	return schedule.New(w.env.StoreOver(faults, w.clock.Option()), &w.deliveries, &w.tasks, w.clock)
}

// do does the task of slice 0, with faults or without.
func (w *world) do(faults *dynamotest.Faults) error {
	w.t.Helper()
	return errors.Join(w.scheduler(faults).Do(w.t.Context(), []mailing.Task{{Mailing: w.mailing.ID}})...)
}

// noFaults returns a DynamoDB without faults.
func (w *world) noFaults() *dynamotest.Faults { return dynamotest.NewFaults(w.env.Client) }

// clients creates clients until n of them are in slice 0.
func (w *world) clients(n int) {
	w.t.Helper()
	for i := 0; n > 0; i++ {
		c, err := mailing.NewClient(mailing.Client{Phone: fmt.Sprintf("7900%07d", i), Timezone: "UTC"})
		if err == nil {
			c, err = w.store.CreateClient(w.t.Context(), c, mailing.Idempotency{})
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if c.ID.Slice() == 0 {
			n--
		}
	}
}

// batches returns the stored batches of slice 0.
func (w *world) batches() []mailing.Batch {
	w.t.Helper()
	batches, _, err := w.store.SliceBatches(w.t.Context(), w.mailing.ID, 0, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return batches
}

// fakeQueue is a queue from which only the test takes entries.
type fakeQueue[T any] struct {
	mu  sync.Mutex
	all []T
	// replans holds the tasks for edited zones, as the instants until which they
	// continue.
	replans []time.Time
}

func (q *fakeQueue[T]) Queue(_ context.Context, some []T, _ time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all = append(q.all, some...)
	return nil
}

// take empties the queue and returns its entries.
func (q *fakeQueue[T]) take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.all
	q.all = nil
	return all
}

func (q *fakeQueue[T]) size() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.all)
}

var errKilled = errors.New("killed")

func TestNoBatchIsQueuedBeforeItsPageIsWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(mailing.BatchSize + 1)
	faults := w.noFaults()
	faults.On(dynamotest.TransactWriteItems, 1, dynamotest.Fault{Refuse: errKilled})
	if err := w.do(faults); !errors.Is(err, errKilled) || w.deliveries.size() != 0 {
		t.Errorf("a task that is killed before the page is written has queued %d batches, %v", w.deliveries.size(), err)
	}
	faults = w.noFaults()
	faults.On(dynamotest.TransactWriteItems, 1, dynamotest.Fault{Before: func() {
		if n := w.deliveries.size(); n != 0 {
			t.Errorf("%d batches are queued before their page is written", n)
		}
	}})
	if err := w.do(faults); err != nil || len(w.deliveries.take()) != 2 || len(w.batches()) != 2 {
		t.Errorf("the task is repeated: %d batches, %v", len(w.batches()), err)
	}
}

func TestAnOverdueBatchIsQueuedAgainAfterGrowingTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(1)
	if err := w.do(w.noFaults()); err != nil || len(w.deliveries.take()) != 1 {
		t.Fatal(err)
	}
	// No sender takes the batch from the queue.
	due := monday.Add(mailing.QueuedOverdueAfter)
	for sweeps := range 6 {
		w.clock.Advance(due.Sub(w.clock.Now()) - mailing.LookAhead)
		for range 3 { // as if sweeps came too often
			if err := w.do(w.noFaults()); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(w.deliveries.take()); n != 1 {
			t.Errorf("overdue for the time %d, the batch is queued %d times, want 1", sweeps+1, n)
		}
		due = due.Add(mailing.OverdueAfter(sweeps))
		if got := w.batches()[0].DueAt; !got.Equal(due) {
			t.Errorf("then the batch is due at %s, want %s", got, due)
		}
	}
}

func TestTheDueTimeOfABatchIsMovedBeforeTheBatchIsQueuedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(1)
	if err := w.do(w.noFaults()); err != nil || len(w.deliveries.take()) != 1 {
		t.Fatal(err)
	}
	w.clock.Advance(mailing.QueuedOverdueAfter)
	for _, step := range []struct {
		name  string
		fault dynamotest.Fault
	}{
		{"the task is killed before it moves the due time", dynamotest.Fault{Refuse: errKilled}},
		{"another task has just moved the due time", dynamotest.Fault{Before: w.postpone}},
	} {
		faults := w.noFaults()
		faults.On(dynamotest.UpdateItem, 1, step.fault)
		if err := w.do(faults); !errors.Is(err, step.fault.Refuse) || w.deliveries.size() != 0 {
			t.Errorf("%s: the batch is queued %d times, %v", step.name, len(w.deliveries.take()), err)
		}
	}
	w.clock.Advance(2 * mailing.QueuedOverdueAfter)
	faults := w.noFaults()
	faults.On(dynamotest.UpdateItem, 1, dynamotest.Fault{Before: func() {
		if w.deliveries.size() != 0 {
			t.Error("the batch is queued before its due time is moved")
		}
	}})
	if err := w.do(faults); err != nil || len(w.deliveries.take()) != 1 {
		t.Errorf("the task is repeated: %v", err)
	}
}

// postpone moves the due_at of the only batch, as another task would that began a second
// later.
func (w *world) postpone() {
	w.t.Helper()
	b, due := w.batches()[0], w.clock.Now().Add(mailing.QueuedOverdueAfter+time.Second)
	if moved, err := w.store.Postpone(w.t.Context(), mailing.Due{Key: b.Key, DueAt: b.DueAt}, due, false); err != nil || !moved {
		w.t.Errorf("due time moved: %t, %v", moved, err)
	}
}
