package deliver_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postrider/internal/deliver"
	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// monday is the instant at which these tests take place: half past twelve in Moscow.
var monday = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// invocationTime and providerTimeout configure the senders.
const (
	invocationTime  = 30 * time.Second
	providerTimeout = 10 * time.Second
)

// world is a store with one running mailing, and a sending API that the test controls.
type world struct {
	t       *testing.T
	env     *dynamotest.Env
	clock   *dynamotest.Clock
	store   *dynamo.Store
	mailing mailing.Mailing
	api     *sendingAPI
	letters deadLetters
	clients atomic.Int64
	config  deliver.Config
	// sweeps counts the sweeps that senders have asked for.
	sweeps int
}

// QueueSweep counts a sweep that a sender asks for.
func (w *world) QueueSweep(context.Context) error {
	w.sweeps++
	return nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, env: dynamotest.Start(t), clock: dynamotest.NewClock(monday)}
	w.config = deliver.Config{
		ProviderTimeout: providerTimeout, InvocationTime: invocationTime, MaxInFlight: 500, MaxReceives: 20,
		Clock: senderClock{w.clock, nil}, Jitter: func(d time.Duration) time.Duration { return d / 2 }, Holder: rand.Text,
	}
	w.store = w.env.Store(w.clock.Option())
	w.api = &sendingAPI{clock: w.clock}
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

// sender returns a sender in a new execution environment, which remembers nothing.
func (w *world) sender(store deliver.Store, options ...deliver.Option) *deliver.Sender {
	return deliver.New(store, w.api, &w.letters, w.config, append(options, deliver.WithSweeps(w))...)
}

// senderClock sleeps by moving the clock on. It calls asleep first, if there is one.
type senderClock struct {
	*dynamotest.Clock
	asleep func()
}

func (c senderClock) Sleep(ctx context.Context, d time.Duration) error {
	if c.asleep != nil {
		c.asleep()
	}
	return c.Clock.Sleep(ctx, d)
}

// batch stores a batch of clients in these time zones, all in slice 0, and returns its
// delivery and the clients. The clients are in the order of their ids, not of the zones.
func (w *world) batch(zones ...string) (mailing.Delivery, []mailing.Client) {
	w.t.Helper()
	return w.batchAs(func([]mailing.Batch) {}, zones...)
}

// batchAs is like batch, but lets change change the batch before it is stored.
func (w *world) batchAs(change func([]mailing.Batch), zones ...string) (mailing.Delivery, []mailing.Client) {
	w.t.Helper()
	clients := make([]mailing.Client, len(zones))
	for i, zone := range zones {
		clients[i] = w.client(zone)
	}
	slices.SortFunc(clients, func(a, b mailing.Client) int { return cmp.Compare(a.ID, b.ID) })
	state, err := w.store.Slice(w.t.Context(), w.mailing.ID, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	batches, counts, _ := mailing.GroupPage(w.mailing, 0, clients, w.clock.Now())
	if len(batches) != 1 {
		w.t.Fatalf("%d batches", len(batches))
	}
	change(batches)
	// The cursor only has to change: tests create batches in any order of ids.
	page := mailing.Page{Mailing: w.mailing.ID, Seen: state.Cursor, Next: state.Cursor + 1, Batches: batches, Counts: counts}
	if written, err := w.store.WritePage(w.t.Context(), w.mailing, page); err != nil || !written {
		w.t.Fatalf("written %t, %v", written, err)
	}
	return mailing.Delivery{Key: batches[0].Key, Receives: 1}, clients
}

// client creates a client in slice 0.
func (w *world) client(zone string) mailing.Client {
	w.t.Helper()
	for {
		c, err := mailing.NewClient(mailing.Client{Phone: fmt.Sprintf("7900%07d", w.clients.Add(1)), Timezone: zone})
		if err == nil {
			c, err = w.store.CreateClient(w.t.Context(), c, mailing.Idempotency{})
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if c.ID.Slice() == 0 {
			return c
		}
	}
}

// moscow returns the time zones of n clients in Moscow.
func moscow(n int) []string { return slices.Repeat([]string{"Europe/Moscow"}, n) }

// change edits the mailing in the way the API does.
func (w *world) change(how func(mailing.Mailing) (mailing.Mailing, error)) {
	w.t.Helper()
	if _, err := w.store.UpdateMailing(w.t.Context(), w.mailing.ID, how); err != nil {
		w.t.Error(err)
	}
}

// read returns a batch as it is stored.
func (w *world) read(k mailing.BatchKey) mailing.Batch {
	w.t.Helper()
	batches, _, err := w.store.SliceBatches(w.t.Context(), k.Mailing, k.Slice, "")
	if err != nil {
		w.t.Error(err)
	}
	for _, b := range batches {
		if b.Key == k {
			return b
		}
	}
	w.t.Errorf("no batch %s", k)
	return mailing.Batch{}
}

// want reports each message of a batch that has another status, or other numbers of
// attempts and of uncertain attempts, than given.
func (w *world) want(k mailing.BatchKey, status mailing.MessageStatus, attempts, uncertain int) {
	w.t.Helper()
	for _, rec := range w.read(k).Recipients {
		if rec.Status != status || rec.Attempts != attempts || rec.Uncertain != uncertain {
			w.t.Errorf("client %d: %s after %d attempts, %d of them uncertain; want %s, %d, %d",
				rec.Client, rec.Status, rec.Attempts, rec.Uncertain, status, attempts, uncertain)
		}
	}
}

// sendingAPI returns the outcomes that answer gives, or accepts everything if answer is nil.
// It records its calls.
type sendingAPI struct {
	clock  *dynamotest.Clock
	answer func(h mailing.Handover) mailing.Outcome

	mu    sync.Mutex
	calls []call
}

type call struct {
	to mailing.ClientID
	at time.Time
}

func (p *sendingAPI) Send(_ context.Context, h mailing.Handover) mailing.Outcome {
	p.mu.Lock()
	p.calls = append(p.calls, call{h.ID.Client(), p.clock.Now()})
	p.mu.Unlock()
	if p.answer == nil {
		return mailing.Outcome{Kind: mailing.OutcomeSent}
	}
	return p.answer(h)
}

func (p *sendingAPI) requests() []call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// always returns an answer function with one outcome for every message.
func always(kind mailing.OutcomeKind, code string) func(mailing.Handover) mailing.Outcome {
	return func(mailing.Handover) mailing.Outcome { return mailing.Outcome{Kind: kind, Code: code} }
}

// deadLetters collects the dead letters that it receives.
type deadLetters struct {
	mu  sync.Mutex
	all []mailing.DeadLetter
}

func (l *deadLetters) Queue(_ context.Context, some []mailing.DeadLetter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, some...)
	return nil
}
