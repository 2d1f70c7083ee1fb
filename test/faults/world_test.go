// Package faults_test breaks Postrider on purpose. The real scheduler and the
// real sender work over the real DynamoDB Local, with a clock that the test
// moves, queues that it can look into, and a sending API that does as it says.
package faults_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postrider/internal/deliver"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
	"postrider/internal/schedule"

	"postrider/internal/dynamo"
)

// begin is when the world begins, a moment without meaning to any rule.
var begin = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

type world struct {
	t         *testing.T
	clock     *dynamotest.Clock
	env       *dynamotest.Env
	store     *dynamo.Store
	scheduler *schedule.Scheduler
	sender    *deliver.Sender
	provider  *provider
	delivered *line[mailing.BatchKey]
	tasks     *line[mailing.Task]
	letters   *letters
	audience  []mailing.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: dynamotest.NewClock(begin), env: dynamotest.Start(t), letters: &letters{}}
	w.store = w.env.Store(w.clock.Option())
	w.provider = &provider{clock: w.clock, handed: map[mailing.MessageID][]time.Time{}}
	w.delivered = &line[mailing.BatchKey]{clock: w.clock}
	w.tasks = &line[mailing.Task]{clock: w.clock}
	w.scheduler = schedule.New(w.store, w.delivered, w.tasks, schedulerClock{w.clock})
	w.sender = w.newSender(w.store)
	return w
}

// newSender is another execution environment: it remembers nothing.
func (w *world) newSender(store deliver.Store) *deliver.Sender {
	n := 0
	var mu sync.Mutex
	return deliver.New(store, w.provider, w.letters, deliver.Config{
		ProviderTimeout: 10 * time.Second, InvocationTime: 30 * time.Second, MaxInFlight: 500, MaxReceives: 20,
	}, schedulerClock{w.clock}, deliver.Randomness{
		Jitter: func(d time.Duration) time.Duration { return d / 2 },
		Holder: func() string {
			mu.Lock()
			defer mu.Unlock()
			n++
			return fmt.Sprintf("%p-%d", &n, n)
		},
	})
}

type schedulerClock struct{ *dynamotest.Clock }

func (c schedulerClock) Sleep(ctx context.Context, d time.Duration) error { return c.Wait(ctx, d) }

// clients creates n clients.
func (w *world) clients(n int) []mailing.Client {
	w.t.Helper()
	made := make([]mailing.Client, n)
	var wg sync.WaitGroup
	for i := range made {
		wg.Go(func() {
			c, err := mailing.NewClient(mailing.Client{Phone: fmt.Sprintf("7900%07d", len(w.audience)+i), Timezone: "Europe/Moscow"})
			if err == nil {
				c, err = w.store.CreateClient(w.t.Context(), c)
			}
			if err != nil {
				w.t.Error(err)
			}
			made[i] = c
		})
	}
	wg.Wait()
	w.audience = append(w.audience, made...)
	return made
}

// create stores a mailing to everyone that starts now and ends in a day.
func (w *world) create(change func(*mailing.Draft)) mailing.Mailing {
	w.t.Helper()
	d := mailing.Draft{Text: "hello", StartAt: w.clock.Now(), EndAt: w.clock.Now().Add(24 * time.Hour)}
	if change != nil {
		change(&d)
	}
	m, err := mailing.New(d, w.clock.Now())
	if err == nil {
		m, err = w.store.CreateMailing(w.t.Context(), m)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// update changes a mailing as the API does.
func (w *world) update(id mailing.MailingID, change func(mailing.Mailing) (mailing.Mailing, error)) {
	w.t.Helper()
	if _, err := w.store.UpdateMailing(w.t.Context(), id, change); err != nil {
		w.t.Fatal(err)
	}
}

// sweep is the rule that fires each minute.
func (w *world) sweep() {
	w.t.Helper()
	if err := w.scheduler.Sweep(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// doTasks does the tasks that are in the queue, and delivers nothing.
func (w *world) doTasks() {
	w.t.Helper()
	for w.tasks.size() > 0 {
		w.scheduler.Do(w.t.Context(), bodies(w.tasks.take(10)))
	}
}

// drain does what is in the queues now, until they hold nothing more that is
// visible.
func (w *world) drain() {
	w.t.Helper()
	for range 10_000 {
		tasks := w.tasks.take(10)
		for i, err := range w.scheduler.Do(w.t.Context(), bodies(tasks)) {
			if err != nil {
				w.t.Errorf("task %v: %v", tasks[i].body, err)
			}
		}
		some := w.delivered.take(10)
		w.deliver(w.sender, some)
		if len(tasks)+len(some) == 0 {
			return
		}
	}
	w.t.Fatal("the queues never run empty")
}

// deliver is one invocation of a sender.
func (w *world) deliver(s *deliver.Sender, some []entry[mailing.BatchKey]) {
	deliveries := make([]mailing.Delivery, len(some))
	for i, e := range some {
		deliveries[i] = mailing.Delivery{Key: e.body, Receives: e.receives}
	}
	for i, h := range s.Deliver(w.t.Context(), deliveries) {
		if h.Again {
			w.delivered.giveBack(some[i], h.After)
		}
	}
}

// run lets time pass, second by second where something is in the queues and
// with a sweep each minute, until done or for at most limit.
func (w *world) run(limit time.Duration, done func() bool) {
	w.t.Helper()
	w.drain()
	for end := w.clock.Now().Add(limit); w.clock.Now().Before(end); {
		if done != nil && done() {
			return
		}
		minute := w.clock.Now().Truncate(time.Minute).Add(time.Minute)
		next := earliest(minute, w.tasks.next(), w.delivered.next())
		w.clock.Advance(max(next.Sub(w.clock.Now()), time.Millisecond))
		if !w.clock.Now().Before(minute) {
			w.sweep()
		}
		w.drain()
	}
	if done != nil && !done() {
		w.t.Fatalf("not done after %s", limit)
	}
}

func earliest(t time.Time, others ...time.Time) time.Time {
	for _, o := range others {
		if !o.IsZero() && o.Before(t) {
			t = o
		}
	}
	return t
}

// completed tells whether a mailing is, for [world.run].
func (w *world) completed(id mailing.MailingID) func() bool {
	return func() bool { return w.mailing(id).Status == mailing.StatusCompleted }
}

func (w *world) mailing(id mailing.MailingID) mailing.Mailing {
	w.t.Helper()
	m, err := w.store.Mailing(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) counts(id mailing.MailingID) mailing.Counts {
	w.t.Helper()
	p, err := w.store.Progress(w.t.Context(), []mailing.Mailing{w.mailing(id)})
	if err != nil {
		w.t.Fatal(err)
	}
	return p[0].Counts
}

func (w *world) messages(id mailing.MailingID) []mailing.Message {
	w.t.Helper()
	var all []mailing.Message
	q := mailing.MessageQuery{Mailing: id, Limit: mailing.MaxLimit}
	for {
		page, err := w.store.ListMessages(w.t.Context(), q)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, page.Items...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return all
		}
	}
}

// provider is the sending API: it does what mood says, and keeps the ledger of
// what it took.
type provider struct {
	clock *dynamotest.Clock
	mu    sync.Mutex
	// mood gives the outcome of a hand-over, and whether the message was taken
	// all the same; nil takes everything.
	mood   func(h mailing.Handover) (o mailing.Outcome, taken bool)
	handed map[mailing.MessageID][]time.Time
	calls  int
}

func (p *provider) Send(_ context.Context, h mailing.Handover) mailing.Outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	o, taken := mailing.Outcome{Kind: mailing.OutcomeSent}, true
	if p.mood != nil {
		o, taken = p.mood(h)
	}
	if taken {
		p.handed[h.ID] = append(p.handed[h.ID], p.clock.Now())
	}
	return o
}

func (p *provider) feels(mood func(mailing.Handover) (mailing.Outcome, bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mood = mood
}

// always is a mood.
func always(kind mailing.OutcomeKind, code string) func(mailing.Handover) (mailing.Outcome, bool) {
	return func(mailing.Handover) (mailing.Outcome, bool) {
		return mailing.Outcome{Kind: kind, Code: code}, kind == mailing.OutcomeSent
	}
}

type letters struct {
	mu  sync.Mutex
	all []mailing.DeadLetter
}

func (l *letters) Queue(_ context.Context, some []mailing.DeadLetter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, some...)
	return nil
}

// line is a queue whose order and contents a test can see.
type line[T any] struct {
	clock   *dynamotest.Clock
	mu      sync.Mutex
	entries []entry[T]
}

type entry[T any] struct {
	body     T
	visible  time.Time
	receives int
}

func (l *line[T]) Queue(_ context.Context, some []T, delay time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, body := range some {
		l.entries = append(l.entries, entry[T]{body: body, visible: l.clock.Now().Add(delay)})
	}
	return nil
}

func (l *line[T]) giveBack(e entry[T], after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.visible = l.clock.Now().Add((after + time.Second - 1).Truncate(time.Second))
	l.entries = append(l.entries, e)
}

// take removes up to n entries that are visible.
func (l *line[T]) take(n int) []entry[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	var taken, left []entry[T]
	for _, e := range l.entries {
		if len(taken) < n && !e.visible.After(l.clock.Now()) {
			e.receives++
			taken = append(taken, e)
		} else {
			left = append(left, e)
		}
	}
	l.entries = left
	return taken
}

// purge forgets everything.
func (l *line[T]) purge() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.entries)
	l.entries = nil
	return n
}

func (l *line[T]) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

// next is when the next entry becomes visible.
func (l *line[T]) next() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(l.entries, func(a, b entry[T]) int { return cmp.Compare(a.visible.UnixNano(), b.visible.UnixNano()) }).visible
}

func bodies[T any](entries []entry[T]) []T {
	all := make([]T, len(entries))
	for i, e := range entries {
		all[i] = e.body
	}
	return all
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
