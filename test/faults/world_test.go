// Package faults_test breaks Postrider on purpose. The real functions, from the event
// that invokes them to the calls that they make, run over a DynamoDB (in memory, or with
// the build tag "integration" the real DynamoDB Local). The test moves the clock, can
// look into the queues, and sets the behaviour of the sending API.
package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.uber.org/goleak"

	"postrider/internal/api"
	"postrider/internal/clock"
	"postrider/internal/deliver"
	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
	"postrider/internal/metrics"
	"postrider/internal/queue"
	"postrider/internal/schedule"
	"postrider/test/invariants"
)

// begin is the instant at which a world begins. No rule depends on it: it is 12:30 in
// Moscow.
var begin = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// reporter is a test, or one run of a state machine.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// world is the whole service with its environment.
type world struct {
	t        reporter
	test     *testing.T // the owner of the world
	ctx      context.Context
	clock    *dynamotest.Clock
	env      *dynamotest.Env
	store    *dynamo.Store // bypasses the gate, for the test itself
	queues   *queues
	provider *provider
	gate     *gate
	// config is the configuration of new senders.
	config deliver.Config
	// tables replaces the tables of the functions' stores, if not nil.
	tables dynamo.API
	// sends replaces the senders' provider, if not nil.
	sends deliver.Provider

	apiWorker, schedulerWorker, senderWorker *worker
	api                                      http.Handler
	scheduler                                func(context.Context, json.RawMessage) (events.SQSEventResponse, error)
	sender                                   func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)

	// spareAPIs holds handlers without a request in progress. Worlds that run one after
	// the other share them; nil for none.
	spareAPIs *[]*apiHandler

	// metered holds the metrics that the functions wrote.
	metered *bytes.Buffer
	meter   *metrics.Log

	// rule is the interval of the scheduler's sweeps, normally a minute.
	rule time.Duration

	// troubled: an invocation may fail, because its tables do.
	troubled bool

	audience map[mailing.ClientID]*invariants.Client
	history  map[mailing.ID]invariants.Timeline
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return worldIn(t, dynamotest.Start(t))
}

// inMemory returns a world over a DynamoDB in memory, whatever other worlds use.
func inMemory(t *testing.T) *world {
	t.Helper()
	return worldIn(t, dynamotest.StartMemory(t))
}

// worldIn returns a world with tables of its own.
func worldIn(t *testing.T, env *dynamotest.Env) *world {
	t.Helper()
	clock := dynamotest.NewClock(begin)
	w := &world{
		t: t, test: t, ctx: t.Context(), clock: clock, env: env, queues: newQueues(clock), gate: &gate{ledger: newLedger()},
		provider: &provider{clock: clock, handovers: map[mailing.MessageID][]invariants.Handover{}},
		config: deliver.Config{
			ProviderTimeout: 10 * time.Second, InvocationTime: 30 * time.Second, MaxInFlight: 500, MaxReceives: maxReceives,
			PauseOnRejections: true, Clock: clock, Jitter: func(d time.Duration) time.Duration { return d / 2 },
			Holder: func() string { return strconv.FormatInt(holders.Add(1), 10) },
		},
		audience: map[mailing.ClientID]*invariants.Client{}, history: map[mailing.ID]invariants.Timeline{}, rule: time.Minute,
	}
	w.metered = &bytes.Buffer{}
	w.meter = metrics.New(w.metered, "test", clock.Now)
	w.store = w.storeOver(env.Client)
	w.restart()
	return w
}

// storeOver returns a store that uses the world's clock. Its waits return at once, and do
// not move the clock.
func (w *world) storeOver(tables dynamo.API) *dynamo.Store {
	return w.env.StoreOver(tables, dynamotest.Impatient(w.clock.Now))
}

// restart gives every function a new execution environment, which remembers nothing.
func (w *world) restart() {
	w.restartAPI()
	w.restartScheduler()
	w.restartSender()
}

// apiHandler is the API with dependencies that can be replaced. It has no state of its
// own, and making its description takes as long as many requests.
type apiHandler struct {
	http.Handler

	clients  struct{ api.Clients }
	mailings struct{ api.Mailings }
	tasks    struct{ api.Tasks }
	queues   struct{ api.Queues }
	now      func() time.Time
}

func newAPIHandler() *apiHandler {
	h := &apiHandler{}
	h.Handler = api.New(&h.clients, &h.mailings, &h.tasks, &h.queues, anyKey{}, api.Config{
		Now: func() time.Time { return h.now() }, Log: slog.Default(),
	})
	return h
}

// over gives the API the dependencies of a new environment.
func (w *world) over(h *apiHandler, of *worker) *apiHandler {
	store, sqs := w.edges(of)
	h.clients.Clients, h.mailings.Mailings, h.now = store, store, w.clock.Now
	h.tasks.Tasks = queue.NewTasks(sqs, tasksURL, w.clock.Now)
	h.queues.Queues = queue.NewQueues(sqs, queue.URLs{Tasks: tasksURL, Deliveries: deliveriesURL, DeadLetters: lettersURL, DeadTasks: lettersURL})
	return h
}

// restartAPI makes a handler at the first request, or takes a spare one.
func (w *world) restartAPI() {
	of := w.gate.worker("api")
	w.apiWorker = of
	if w.spareAPIs == nil {
		made := sync.OnceValue(func() *apiHandler { return w.over(newAPIHandler(), of) })
		w.api = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { made().ServeHTTP(rw, r) })
		return
	}
	w.spare(w.api)
	if len(*w.spareAPIs) == 0 {
		w.spare(newAPIHandler())
	}
	last := len(*w.spareAPIs) - 1
	w.api = w.over((*w.spareAPIs)[last], of)
	*w.spareAPIs = (*w.spareAPIs)[:last]
}

// spare keeps a handler whose last request has ended.
func (w *world) spare(handler http.Handler) {
	if h, ok := handler.(*apiHandler); ok {
		*w.spareAPIs = append(*w.spareAPIs, h)
	}
}

func (w *world) restartScheduler() {
	w.schedulerWorker = w.gate.worker("scheduler")
	store, sqs := w.edges(w.schedulerWorker)
	w.scheduler = queue.SchedulerHandler(schedule.New(store, queue.NewDeliveries(sqs, deliveriesURL), queue.NewTasks(sqs, tasksURL, w.clock.Now),
		mortalClock{w.schedulerWorker, w.clock}, schedule.WithMeter(w.meter)), nil)
}

// anyKey accepts each key as an admin's.
type anyKey struct{}

func (anyKey) Caller(context.Context, string) (mailing.Caller, bool, error) {
	return mailing.Caller{Name: "test", Role: mailing.Admin}, true, nil
}

func (w *world) restartSender() {
	w.senderWorker = w.gate.worker("sender")
	store, sqs := w.edges(w.senderWorker)
	w.sender = queue.NewDeliveries(sqs, deliveriesURL).Handler(w.newSender(w.senderWorker, store, sqs), queue.NewDeadLetters(sqs, lettersURL))
}

func (w *world) edges(of *worker) (*dynamo.Store, queue.AdminAPI) {
	tables := w.tables
	if tables == nil {
		tables = w.env.Client
	}
	return w.storeOver(gatedTables{of, tables}), gatedQueues{w.queues, of}
}

// holders keeps any two claims of a test binary from having the same holder.
var holders atomic.Int64

func (w *world) newSender(of *worker, store deliver.Store, sqs queue.API) *deliver.Sender {
	config := w.config
	config.Clock = mortalClock{of, config.Clock}
	var sends deliver.Provider = w.provider
	if w.sends != nil {
		sends = w.sends
	}
	return deliver.New(store, gatedProvider{of, sends}, queue.NewDeadLetters(sqs, lettersURL), config,
		deliver.WithMeter(w.meter), deliver.WithSweeps(queue.NewTasks(sqs, tasksURL, w.clock.Now)))
}

// mortalClock is a clock whose waits fail for a dead worker.
type mortalClock struct {
	of *worker
	clock.Clock
}

func (c mortalClock) Sleep(ctx context.Context, d time.Duration) error {
	if c.of.dead() {
		return errKilled
	}
	return c.Clock.Sleep(ctx, d)
}

// ---- clients and mailings ------------------------------------------------------

// clients creates n clients in Moscow.
func (w *world) clients(n int) []mailing.Client {
	w.t.Helper()
	made := make([]mailing.Client, n)
	for i := range made {
		made[i] = w.client(mailing.Client{Phone: fmt.Sprintf("7900%07d", len(w.audience)), Timezone: "Europe/Moscow"})
	}
	return made
}

func (w *world) client(c mailing.Client) mailing.Client {
	w.t.Helper()
	c, err := mailing.NewClient(c)
	if err == nil {
		c, err = w.store.CreateClient(w.ctx, c, mailing.Idempotency{})
	}
	if err != nil {
		w.t.Fatalf("create a client: %v", err)
	}
	w.know(c)
	return c
}

// know records that a client exists from now on.
func (w *world) know(c mailing.Client) {
	w.audience[c.ID] = invariants.NewClient(c, w.clock.Now(), w.clock.Now())
}

// seed stores clients with ids that the test chooses. If created is the zero time, it
// stores them in the old form, without an instant of creation.
func (w *world) seed(created time.Time, clients ...mailing.Client) {
	w.t.Helper()
	for some := range slices.Chunk(clients, 12) { // two rows each, and a call writes 25
		var puts []types.WriteRequest
		for _, c := range some {
			w.know(c)
			client := map[string]any{
				"part": fmt.Sprintf("%02d", c.ID.Slice()), "id": fmt.Sprintf("%010d", c.ID), "phone": c.Phone,
				"operator_code": c.OperatorCode, "timezone": c.Timezone, "version": 1,
			}
			if c.Tag != "" {
				client["tag"] = c.Tag
			}
			if !created.IsZero() {
				client["created_at"] = created.UnixMilli()
			}
			phone := map[string]any{"part": "phone#" + c.Phone, "id": "phone", "client": c.ID}
			for _, row := range []map[string]any{client, phone} {
				item, err := attributevalue.MarshalMap(row)
				if err != nil {
					w.t.Fatalf("encode a client: %v", err)
				}
				puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
			}
		}
		request := map[string][]types.WriteRequest{w.env.Tables.Clients: puts}
		if _, err := w.env.Client.BatchWriteItem(w.ctx, &dynamodb.BatchWriteItemInput{RequestItems: request}); err != nil {
			w.t.Fatalf("store clients: %v", err)
		}
	}
}

func (w *world) deleteClient(id mailing.ClientID) {
	w.t.Helper()
	if err := w.store.DeleteClient(w.ctx, id); err != nil {
		w.t.Fatalf("delete a client: %v", err)
	}
	w.audience[id].DeletedAt = w.clock.Now()
}

func (w *world) changeClient(id mailing.ClientID, change func(*mailing.Client)) {
	w.t.Helper()
	c, err := w.store.UpdateClient(w.ctx, id, func(c mailing.Client) (mailing.Client, error) {
		change(&c)
		return c, nil
	})
	if err != nil {
		w.t.Fatalf("change a client: %v", err)
	}
	w.audience[id].Edit(c, w.clock.Now())
}

// create stores a mailing to all clients that starts now and ends in a day. It queues
// nothing: the sweep finds the mailing.
func (w *world) create(change func(*mailing.Draft)) mailing.Mailing {
	w.t.Helper()
	d := mailing.Draft{Text: "hello", StartAt: w.clock.Now(), EndAt: w.clock.Now().Add(24 * time.Hour)}
	if change != nil {
		change(&d)
	}
	m, err := mailing.New(d, w.clock.Now())
	if err == nil {
		m, err = w.store.CreateMailing(w.ctx, m, mailing.Idempotency{})
	}
	if err != nil {
		w.t.Fatalf("create a mailing: %v", err)
	}
	w.remember(m)
	return m
}

func (w *world) remember(m mailing.Mailing) {
	w.history[m.ID] = append(w.history[m.ID], invariants.State{From: w.clock.Now(), Mailing: m})
}

// call sends a request to the API; headers are name, value, name, value.
func (w *world) call(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := w.request(method, path, body)
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	answer := httptest.NewRecorder()
	w.api.ServeHTTP(answer, r)
	if w.apiWorker.dead() {
		w.restart()
		answer.Code = http.StatusBadGateway
	}
	return answer
}

func (w *world) request(method, path, body string) *http.Request {
	r := httptest.NewRequestWithContext(w.ctx, method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer key")
	return r
}

// act requests an action on a mailing, records the result, and returns the status code.
func (w *world) act(id mailing.ID, action string) int {
	w.t.Helper()
	method, path, body := asked(id, action)
	answer := w.call(method, path, body)
	if answer.Code < 300 {
		w.remember(w.mailing(id))
	}
	return answer.Code
}

// asked returns the request for an action. The action is a name, which a body may follow,
// or the body of an edit.
func asked(id mailing.ID, action string) (method, path, body string) {
	of := fmt.Sprintf("/api/mailings/%d", id)
	switch {
	case action == "delete":
		return http.MethodDelete, of, ""
	case strings.HasPrefix(action, "{"):
		return http.MethodPatch, of, action
	}
	name, body, _ := strings.Cut(action, " ")
	return http.MethodPost, of + "/" + name, body
}

// must calls act, and demands success.
func (w *world) must(id mailing.ID, action string) {
	w.t.Helper()
	if code := w.act(id, action); code >= 300 {
		w.t.Fatalf("%s: status %d", action, code)
	}
}

// update changes a mailing without the API, so that nothing is queued for it.
func (w *world) update(id mailing.ID, change func(mailing.Mailing) (mailing.Mailing, error)) {
	w.t.Helper()
	m, err := w.store.UpdateMailing(w.ctx, id, change)
	if err != nil {
		w.t.Fatalf("change a mailing: %v", err)
	}
	w.remember(m)
}

func (w *world) mailing(id mailing.ID) mailing.Mailing {
	w.t.Helper()
	m, err := w.store.Mailing(w.ctx, id)
	if err != nil {
		w.t.Fatalf("read a mailing: %v", err)
	}
	return m
}

func (w *world) counts(id mailing.ID) mailing.Counts {
	w.t.Helper()
	p, err := w.store.Progress(w.ctx, []mailing.Mailing{w.mailing(id)})
	if err != nil {
		w.t.Fatalf("read counts: %v", err)
	}
	return p[0].Counts
}

// ---- work ----------------------------------------------------------------------

// sweep invokes the scheduler as the rule does each minute.
func (w *world) sweep() {
	_, err := w.scheduler(w.ctx, json.RawMessage(`{"detail-type": "Scheduled Event"}`))
	if w.schedulerWorker.dead() {
		w.restart()
		return
	}
	if err != nil && !w.gate.hasHappened() && !w.troubled {
		w.t.Errorf("sweep: %v", err)
	}
}

// hasHappened reports whether the accident has happened.
func (g *gate) hasHappened() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.happened
}

// doSome handles up to ten messages of a queue, and returns their number.
func (w *world) doSome(url string) int {
	some := w.queues.receive(url, 10)
	if len(some) == 0 {
		return 0
	}
	w.do(url, some)
	return len(some)
}

// do makes one invocation with messages that were received.
func (w *world) do(url string, some []*message) {
	of, work := w.worksOn(url)
	response, err := work(some)
	w.settled(url, of, some, response, err)
}

// worksOn returns the function that handles a queue, with its current environment: the
// scheduler for tasks, the sender for deliveries.
func (w *world) worksOn(url string) (of *worker, work func([]*message) (events.SQSEventResponse, error)) {
	scheduler, sender := w.scheduler, w.sender
	if url != tasksURL {
		return w.senderWorker, func(some []*message) (events.SQSEventResponse, error) { return sender(w.ctx, event(some)) }
	}
	return w.schedulerWorker, func(some []*message) (events.SQSEventResponse, error) {
		raw, err := json.Marshal(event(some))
		if err != nil {
			return events.SQSEventResponse{}, fmt.Errorf("encode an event: %w", err)
		}
		return scheduler(w.ctx, raw)
	}
}

// settled deletes the messages that an invocation has handled from their queue.
func (w *world) settled(url string, of *worker, some []*message, response events.SQSEventResponse, err error) {
	switch {
	case of.dead():
		// Its messages are visible again when their visibility timeout ends.
		w.restart()
	case err != nil:
		w.t.Errorf("an invocation failed: %v", err)
	case response.BatchItemFailures == nil:
		w.t.Errorf("item failures are null: some event sources take that for a failed batch")
	default:
		w.queues.settle(url, some, response)
	}
}

// doTasks does the tasks that are in the queue, and delivers nothing.
func (w *world) doTasks() {
	for w.doSome(tasksURL) > 0 {
	}
}

// drain handles the messages in the queues until no visible message is left.
func (w *world) drain() {
	w.t.Helper()
	for range 10_000 {
		if w.doSome(tasksURL)+w.doSome(deliveriesURL) == 0 {
			return
		}
	}
	w.t.Fatalf("the queues never run empty")
}

// run advances the clock from one message in the queues to the next, with a sweep each
// minute, until done returns true or limit has passed.
func (w *world) run(limit time.Duration, done func() bool) {
	w.t.Helper()
	w.drain()
	for end := w.clock.Now().Add(limit); w.clock.Now().Before(end); {
		if done != nil && done() {
			return
		}
		w.step()
	}
	if done != nil && !done() {
		w.t.Fatalf("not done after %s", limit)
	}
}

// step advances the clock to the next event, and handles it.
func (w *world) step() {
	w.t.Helper()
	minute := w.clock.Now().Truncate(w.rule).Add(w.rule)
	next := minute
	if first := w.queues.next(tasksURL, deliveriesURL); !first.IsZero() && first.Before(minute) {
		next = first
	}
	w.clock.Advance(max(next.Sub(w.clock.Now()), time.Millisecond))
	if !w.clock.Now().Before(minute) {
		w.sweep()
	}
	w.drain()
}

// finished returns a function for [world.run] that reports whether all messages of a
// mailing are accounted for.
func (w *world) finished(id mailing.ID) func() bool {
	return func() bool { return w.mailing(id).Finished }
}

// ---- the sending API -----------------------------------------------------------

// provider is the sending API. Its behaviour decides the outcomes, and it keeps the ledger of
// hand-overs.
type provider struct {
	clock *dynamotest.Clock
	mu    sync.Mutex
	// behaviour returns the outcome of a hand-over, and whether the message was taken. If it
	// is nil, every message is taken and sent.
	behaviour func(h mailing.Handover) (o mailing.Outcome, taken bool)
	handovers map[mailing.MessageID][]invariants.Handover
	calls     int
}

func (p *provider) Send(_ context.Context, h mailing.Handover) mailing.Outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !h.Before.IsZero() && !p.clock.Now().Before(h.Before) {
		// As in the real client, a request that is too late does not begin.
		return mailing.Outcome{Kind: mailing.OutcomeNotTried, Code: "too_late"}
	}
	p.calls++
	o, taken := mailing.Outcome{Kind: mailing.OutcomeSent}, true
	if p.behaviour != nil {
		o, taken = p.behaviour(h)
	}
	p.handovers[h.ID] = append(p.handovers[h.ID], invariants.Handover{At: p.clock.Now(), Phone: h.Phone, Taken: taken})
	return o
}

// record records a hand-over that was made in another way.
func (p *provider) record(id mailing.MessageID, phone string, taken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handovers[id] = append(p.handovers[id], invariants.Handover{At: p.clock.Now(), Phone: phone, Taken: taken})
}

func (p *provider) behave(behaviour func(mailing.Handover) (mailing.Outcome, bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.behaviour = behaviour
}

// ledger returns a copy of the ledger.
func (p *provider) ledger() map[mailing.MessageID][]invariants.Handover {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[mailing.MessageID][]invariants.Handover, len(p.handovers))
	for id, handovers := range p.handovers {
		all[id] = slices.Clone(handovers)
	}
	return all
}

// took returns the hand-overs in which a message was taken.
func (p *provider) took() map[mailing.MessageID][]invariants.Handover {
	all := p.ledger()
	for id, handovers := range all {
		all[id] = slices.DeleteFunc(handovers, func(h invariants.Handover) bool { return !h.Taken })
		if len(all[id]) == 0 {
			delete(all, id)
		}
	}
	return all
}

func (p *provider) called() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// always returns a behaviour with one outcome for all hand-overs.
func always(kind mailing.OutcomeKind, code string) func(mailing.Handover) (mailing.Outcome, bool) {
	return func(mailing.Handover) (mailing.Outcome, bool) {
		return mailing.Outcome{Kind: kind, Code: code}, kind == mailing.OutcomeSent
	}
}

func TestMain(m *testing.M) {
	// Thousands of runs would log the same lines again and again.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}
