// Package walk_test uses the API as an integrator does who has only its description. It
// calls each operation with the examples of the description, finds ids by its links, and
// provokes each error that it names. Every answer must be as described. The store is the
// real one over tables in memory, scheduler and sender are the real ones, and the queues
// are lists.
//
// A new operation or error in the description makes the walk fail until it has a row: an
// operation in story, an error in special or common.
package walk_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postrider/internal/api"
	"postrider/internal/deliver"
	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
	"postrider/internal/schedule"
)

// begin is just before the mailing of the description's examples is created.
var begin = time.Date(2030, time.March, 1, 9, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

// world is the service with its environment.
type world struct {
	t      *testing.T
	api    http.Handler
	clock  *dynamotest.Clock
	lines  *lines
	faults *dynamotest.Faults // between the API and its tables
	store  *dynamo.Store      // without the faults, for other callers and the test itself

	scheduler *schedule.Scheduler
	sender    *deliver.Sender

	// key is the key of requests; unreadable is the error of reading the keys, nil for
	// none.
	key        string
	unreadable error

	// cost is how many calls to AWS an operation has made.
	cost map[string]int

	// linked holds the parameters that links have led to, by operation and name.
	linked map[string]map[string]string
}

// holders keeps any two claims from having the same holder.
var holders atomic.Int64

func newWorld(t *testing.T) *world {
	t.Helper()
	env, clock := dynamotest.StartMemory(t), dynamotest.NewClock(begin)
	impatient := dynamotest.Impatient(clock.Now)
	w := &world{
		t: t, clock: clock, lines: &lines{clock: clock}, faults: dynamotest.NewFaults(env.Client),
		store: env.StoreOver(env.Client, impatient), key: string(mailing.Admin), cost: map[string]int{}, linked: map[string]map[string]string{},
	}
	store := env.StoreOver(w.faults, impatient)
	w.api = api.New(store, store, tasksLine{w.lines}, w.lines, w, api.Config{Now: clock.Now, Log: slog.New(slog.DiscardHandler)})
	w.scheduler = schedule.New(w.store, deliveriesLine{w.lines}, tasksLine{w.lines}, clock)
	w.sender = deliver.New(w.store, provider{}, lettersLine{w.lines}, deliver.Config{
		ProviderTimeout: 10 * time.Second, InvocationTime: 30 * time.Second, MaxInFlight: 10, MaxReceives: 20,
		Clock: clock, Jitter: func(d time.Duration) time.Duration { return d / 2 },
		Holder: func() string { return strconv.FormatInt(holders.Add(1), 10) },
	})
	return w
}

// authorise adds the key to a request; no other code does.
func (w *world) authorise(h http.Header) {
	if w.key != "" {
		h.Set("Authorization", "Bearer "+w.key)
	}
}

// documentedKey is the key in the description's example of signing in.
const documentedKey = "K7QFXNP2MZ4TBRA6CVHLWE3DGY"

// Caller knows two keys, whose names are their roles, and the one of the description.
func (w *world) Caller(_ context.Context, key string) (mailing.Caller, bool, error) {
	if key == documentedKey {
		key = string(mailing.Admin)
	}
	role := mailing.Role(key)
	return mailing.Caller{Name: key, Role: role}, role.Valid(), w.unreadable
}

// work sweeps, and then handles everything in the queues.
func (w *world) work() {
	w.t.Helper()
	ctx := w.t.Context()
	if err := w.scheduler.Sweep(ctx); err != nil {
		w.t.Fatal(err)
	}
	for range 100 {
		tasks, keys := w.lines.takeTasks(), w.lines.takeDeliveries()
		if len(tasks)+len(keys) == 0 {
			return
		}
		if err := errors.Join(w.scheduler.Do(ctx, tasks)...); err != nil {
			w.t.Fatal(err)
		}
		deliveries := make([]mailing.Delivery, len(keys))
		for i, key := range keys {
			deliveries[i] = mailing.Delivery{Key: key, Receives: 1}
		}
		w.sender.Deliver(ctx, deliveries)
	}
	w.t.Fatal("there is no end to the work")
}

// provider is a sending API that refuses phones that end in four zeros.
type provider struct{}

func (provider) Send(_ context.Context, h mailing.Handover) mailing.Outcome {
	if strings.HasSuffix(h.Phone, "0000") {
		return mailing.Outcome{Kind: mailing.OutcomeRejected, Code: "http_400"}
	}
	return mailing.Outcome{Kind: mailing.OutcomeSent}
}
