package walk_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// lines are the queues. They drop delayed entries: the sweep finds that work.
type lines struct {
	clock *dynamotest.Clock

	mu         sync.Mutex
	tasks      []mailing.Task
	deliveries []mailing.BatchKey
	letters    []mailing.StoredLetter
	taken      map[string]bool
	count      int
	// calls is how often the API has used a queue.
	calls int
	// meet, if not nil, is called in each call of the API, and returns its error.
	meet func() error
}

func (l *lines) met() error {
	l.calls++
	if l.meet != nil {
		return l.meet()
	}
	return nil
}

func (l *lines) takeTasks() []mailing.Task {
	l.mu.Lock()
	defer l.mu.Unlock()
	tasks := l.tasks
	l.tasks = nil
	return tasks
}

func (l *lines) takeDeliveries() []mailing.BatchKey {
	l.mu.Lock()
	defer l.mu.Unlock()
	keys := l.deliveries
	l.deliveries = nil
	return keys
}

// Depths returns the number of entries in each queue.
func (l *lines) Depths(context.Context) ([]mailing.QueueDepth, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return []mailing.QueueDepth{
		{Name: mailing.TasksQueue, Waiting: int64(len(l.tasks))},
		{Name: mailing.DeliveriesQueue, Waiting: int64(len(l.deliveries))},
		{Name: mailing.DeadLettersQueue, Waiting: int64(len(l.letters))},
		{Name: mailing.DeadTasksQueue},
	}, l.met()
}

// Deliver queues batches for the sender.
func (l *lines) Deliver(_ context.Context, keys []mailing.BatchKey) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deliveries = append(l.deliveries, keys...)
	return l.met()
}

// Peek returns the dead letters.
func (l *lines) Peek(context.Context) ([]mailing.StoredLetter, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.letters), l.met()
}

// Take returns the dead letters, each of them once.
func (l *lines) Take(context.Context, time.Duration) ([]mailing.StoredLetter, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken == nil {
		l.taken = map[string]bool{}
	}
	var some []mailing.StoredLetter
	for _, letter := range l.letters {
		if !l.taken[letter.Handle] {
			l.taken[letter.Handle] = true
			some = append(some, letter)
		}
	}
	return some, l.met()
}

// Remove removes letters.
func (l *lines) Remove(_ context.Context, letters []mailing.StoredLetter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.letters = slices.DeleteFunc(l.letters, func(have mailing.StoredLetter) bool {
		return slices.ContainsFunc(letters, func(gone mailing.StoredLetter) bool { return gone.Handle == have.Handle })
	})
	return l.met()
}

// tasksLine is the tasks queue, for the API and for the scheduler.
type tasksLine struct{ l *lines }

func (t tasksLine) QueueTasks(ctx context.Context, m mailing.Mailing) error {
	delay, ok := m.TaskDelay(t.l.clock.Now())
	if !ok {
		return t.l.met()
	}
	if err := t.l.met(); err != nil {
		return err
	}
	return t.Queue(ctx, []mailing.Task{{Mailing: m.ID, Slice: mailing.AllSlices}}, delay)
}

func (t tasksLine) QueueSweep(context.Context) error { return t.l.met() }

func (t tasksLine) QueueReplan(context.Context, time.Time) error { return t.l.met() }

func (t tasksLine) Queue(_ context.Context, tasks []mailing.Task, delay time.Duration) error {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	if delay == 0 {
		t.l.tasks = append(t.l.tasks, tasks...)
	}
	return nil
}

// deliveriesLine is the deliveries queue, for the scheduler.
type deliveriesLine struct{ l *lines }

func (d deliveriesLine) Queue(_ context.Context, keys []mailing.BatchKey, delay time.Duration) error {
	d.l.mu.Lock()
	defer d.l.mu.Unlock()
	if delay == 0 {
		d.l.deliveries = append(d.l.deliveries, keys...)
	}
	return nil
}

// lettersLine is the queue of dead letters, for the sender.
type lettersLine struct{ l *lines }

func (d lettersLine) Queue(_ context.Context, letters []mailing.DeadLetter) error {
	d.l.mu.Lock()
	defer d.l.mu.Unlock()
	for _, letter := range letters {
		d.l.count++
		d.l.letters = append(d.l.letters, mailing.StoredLetter{Handle: strconv.Itoa(d.l.count), QueuedAt: d.l.clock.Now(), Letter: &letter})
	}
	return nil
}
