package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postrider/internal/api"
	"postrider/internal/mailing"
)

// now is the current time in these tests.
var now = time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)

// stores has the answers that one test needs. A call of any other method panics,
// and so becomes a 500. stores keeps no data, because the real stores have their
// own tests.
type stores struct {
	api.Clients
	api.Mailings

	createClient func(mailing.Client) (mailing.Client, error)
	client       *mailing.Client
	listClients  func(mailing.ClientQuery) (mailing.List[mailing.Client], error)
	deleteClient func(mailing.ClientID) error

	countAudience func(mailing.Filter) (int64, error)
	upsertClients func([]mailing.ClientRow) ([]mailing.RowResult, error)
	facets        func(prefix string) (mailing.Facets, error)

	createMailing func(mailing.Mailing) (mailing.Mailing, error)
	mailing       *mailing.Mailing
	listMailings  func(mailing.MailingQuery) (mailing.List[mailing.Mailing], error)
	progress      []mailing.Progress
	overall       func(mailing.Status) (mailing.Overall, error)
	version       string // of the overview
	series        []mailing.Point
	listMessages  func(mailing.MessageQuery) (mailing.List[mailing.Message], error)
	message       *mailing.Message
	redrive       func(mailing.ID, []mailing.DeadLetter) (mailing.Mailing, mailing.Redriving, error)
	createTest    func(mailing.Test) (mailing.Message, mailing.BatchKey, error)
	oldest        time.Time
	outage        mailing.Outage
	outageFails   error
	// unknown: it cannot be determined which batch has waited longest.
	unknown bool

	// once has the resources that requests with an idempotency key have created.
	// hideOnce hides them until the next attempt to create one of them again.
	once     map[string]creation
	hideOnce bool

	// fail is the error of each call whose answer is a value above, not a function.
	fail error
}

func (s *stores) CreateClient(_ context.Context, c mailing.Client, o mailing.Idempotency) (mailing.Client, error) {
	return recorded(s, o, func() (mailing.Client, error) { return s.createClient(c) },
		func(c *mailing.Client) mailing.Creation { return mailing.Creation{Client: c} })
}

// Created returns the resource that an earlier request has created.
func (s *stores) Created(_ context.Context, o mailing.Idempotency) (mailing.Creation, bool, error) {
	before, ok := s.once[o.Key]
	if ok && before.of != o.Request {
		return mailing.Creation{}, false, mailing.OtherRequest()
	}
	return before.what, ok && !s.hideOnce, s.fail
}

// creation is a created resource, and the hash of the request that asked for it.
type creation struct {
	of   string
	what mailing.Creation
}

func recorded[T any](s *stores, o mailing.Idempotency, create func() (T, error), as func(*T) mailing.Creation) (T, error) {
	if _, ok := s.once[o.Key]; ok {
		s.hideOnce = false
		var none T
		return none, mailing.ErrCreated
	}
	made, err := create()
	if err == nil && o.HasKey() {
		s.once[o.Key] = creation{o.Request, as(&made)}
	}
	return made, err
}

func (s *stores) Client(_ context.Context, id mailing.ClientID) (mailing.Client, error) {
	return found(s.fail, s.client, id, func(c mailing.Client) mailing.ClientID { return c.ID })
}

func (s *stores) UpdateClient(ctx context.Context, id mailing.ClientID, change func(mailing.Client) (mailing.Client, error)) (mailing.Client, error) {
	c, err := s.Client(ctx, id)
	if err != nil {
		return c, err
	}
	return change(c)
}

func (s *stores) DeleteClient(_ context.Context, id mailing.ClientID) error {
	return s.deleteClient(id)
}

func (s *stores) ListClients(_ context.Context, q mailing.ClientQuery) (mailing.List[mailing.Client], error) {
	return s.listClients(q)
}

func (s *stores) CountAudience(_ context.Context, f mailing.Filter) (int64, error) {
	return s.countAudience(f)
}

func (s *stores) UpsertClients(_ context.Context, rows []mailing.ClientRow) ([]mailing.RowResult, error) {
	return s.upsertClients(rows)
}

func (s *stores) Facets(_ context.Context, prefix string) (mailing.Facets, error) {
	return s.facets(prefix)
}

func (s *stores) CreateMailing(_ context.Context, m mailing.Mailing, o mailing.Idempotency) (mailing.Mailing, error) {
	return recorded(s, o, func() (mailing.Mailing, error) { return s.createMailing(m) },
		func(m *mailing.Mailing) mailing.Creation { return mailing.Creation{Mailing: m} })
}

func (s *stores) Mailing(_ context.Context, id mailing.ID) (mailing.Mailing, error) {
	return found(s.fail, s.mailing, id, func(m mailing.Mailing) mailing.ID { return m.ID })
}

func (s *stores) UpdateMailing(ctx context.Context, id mailing.ID, change func(mailing.Mailing) (mailing.Mailing, error)) (mailing.Mailing, error) {
	m, err := s.Mailing(ctx, id)
	if err != nil {
		return m, err
	}
	return change(m)
}

func (s *stores) ListMailings(_ context.Context, q mailing.MailingQuery) (mailing.List[mailing.Mailing], error) {
	return s.listMailings(q)
}

func (s *stores) Progress(_ context.Context, ms []mailing.Mailing) ([]mailing.Progress, error) {
	if s.progress == nil {
		return make([]mailing.Progress, len(ms)), s.fail
	}
	return s.progress, s.fail
}

func (s *stores) Overall(_ context.Context, status mailing.Status) (mailing.Overall, error) {
	return s.overall(status)
}

func (s *stores) Overview(ctx context.Context, q mailing.MailingQuery, seen string) (mailing.Overview, error) {
	if seen != "" && seen == s.version {
		return mailing.Overview{Version: seen, Unchanged: true}, nil
	}
	page, err := s.listMailings(q)
	if err != nil {
		return mailing.Overview{}, err
	}
	progress, err := s.Progress(ctx, page.Items)
	if err != nil {
		return mailing.Overview{}, err
	}
	overall, err := s.overall(q.Status)
	return mailing.Overview{List: page, Progress: progress, Overall: overall, Version: s.version}, err
}

func (s *stores) Statistics(ctx context.Context, id mailing.ID) (mailing.Statistics, error) {
	m, err := s.Mailing(ctx, id)
	if err != nil {
		return mailing.Statistics{}, err
	}
	progress, err := s.Progress(ctx, []mailing.Mailing{m})
	if err != nil {
		return mailing.Statistics{}, err
	}
	return mailing.Statistics{Mailing: m, Progress: progress[0], Rate: 812.500_04}, nil
}

func (s *stores) MessagesOf(_ context.Context, st mailing.Statistics, q mailing.MessageQuery) (mailing.List[mailing.Message], error) {
	q.Mailing = st.Mailing.ID
	return s.listMessages(q)
}

func (s *stores) Series(context.Context, mailing.Mailing) ([]mailing.Point, error) {
	return s.series, s.fail
}

func (s *stores) ListMessages(_ context.Context, q mailing.MessageQuery) (mailing.List[mailing.Message], error) {
	return s.listMessages(q)
}

func (s *stores) Message(_ context.Context, id mailing.MessageID) (mailing.Message, error) {
	return found(s.fail, s.message, id, func(m mailing.Message) mailing.MessageID { return m.ID })
}

func (s *stores) Redrive(_ context.Context, id mailing.ID, letters []mailing.DeadLetter) (mailing.Mailing, mailing.Redriving, error) {
	return s.redrive(id, letters)
}

func (s *stores) CreateTest(_ context.Context, t mailing.Test, at time.Time, o mailing.Idempotency) (mailing.Message, mailing.BatchKey, error) {
	var key mailing.BatchKey
	msg, err := recorded(s, o, func() (msg mailing.Message, err error) {
		msg, key, err = s.createTest(t)
		msg.CreatedAt = at
		return msg, err
	}, func(m *mailing.Message) mailing.Creation { return mailing.Creation{Test: m} })
	return msg, key, err
}

func (s *stores) OldestWaiting(context.Context) (since time.Time, known bool, err error) {
	return s.oldest, !s.unknown, s.fail
}

func (s *stores) Outage(context.Context) (mailing.Outage, error) { return s.outage, s.outageFails }

func found[T any, ID comparable](fail error, one *T, id ID, of func(T) ID) (T, error) {
	var none T
	switch {
	case fail != nil:
		return none, fail
	case one == nil || of(*one) != id:
		return none, mailing.NotFound("such thing")
	}
	return *one, nil
}

// tasks records what is queued.
type tasks struct {
	queued []mailing.ID
	sweeps int
	fail   error
}

func (t *tasks) QueueTasks(_ context.Context, m mailing.Mailing) error {
	t.queued = append(t.queued, m.ID)
	return t.fail
}

func (t *tasks) QueueSweep(context.Context) error {
	t.sweeps++
	return t.fail
}

// queues has dead letters, and records what is done with them.
type queues struct {
	depths    []mailing.QueueDepth
	peeked    []mailing.StoredLetter
	taken     [][]mailing.StoredLetter // one element for each call
	hidden    time.Duration            // of the last call
	delivered []mailing.BatchKey
	removed   []string
	// fail has the errors of calls by the name of the call.
	fail map[string]error
}

func (q *queues) Depths(context.Context) ([]mailing.QueueDepth, error) {
	return q.depths, q.fail["depths"]
}

func (q *queues) Deliver(_ context.Context, keys []mailing.BatchKey) error {
	if err := q.fail["deliver"]; err != nil {
		return err
	}
	q.delivered = append(q.delivered, keys...)
	return nil
}

func (q *queues) Peek(context.Context) ([]mailing.StoredLetter, error) {
	return q.peeked, q.fail["peek"]
}

func (q *queues) Take(_ context.Context, hidden time.Duration) ([]mailing.StoredLetter, error) {
	q.hidden = hidden
	if err := q.fail["take"]; err != nil || len(q.taken) == 0 {
		return nil, err
	}
	some := q.taken[0]
	q.taken = q.taken[1:]
	return some, nil
}

func (q *queues) Remove(_ context.Context, letters []mailing.StoredLetter) error {
	if err := q.fail["remove"]; err != nil {
		return err
	}
	for _, l := range letters {
		q.removed = append(q.removed, l.Handle)
	}
	return nil
}

// keyring has keys of two admins and a viewer. One of the admins has two keys, an
// old and a new one.
type keyring struct{}

const adminKey, viewerKey = "admin-key", "viewer-key"

func (keyring) Caller(_ context.Context, key string) (mailing.Caller, bool, error) {
	switch key {
	case adminKey, adminKey + "-new":
		return mailing.Caller{Name: "billing", Role: mailing.Admin}, true, nil
	case adminKey + "-2":
		return mailing.Caller{Name: "import", Role: mailing.Admin}, true, nil
	case viewerKey:
		return mailing.Caller{Name: "dashboard", Role: mailing.Viewer}, true, nil
	case "broken":
		return mailing.Caller{}, false, errors.New("parameter /keys is gone")
	}
	return mailing.Caller{}, false, nil
}

// service is the API over fakes.
type service struct {
	t       *testing.T
	handler http.Handler
	stores  *stores
	tasks   *tasks
	queues  *queues
	log     *bytes.Buffer
}

func serve(t *testing.T, s *stores) service {
	t.Helper()
	return serveAt(t, s, func() time.Time { return now })
}

func serveAt(t *testing.T, s *stores, clock func() time.Time) service {
	t.Helper()
	if s.once == nil {
		s.once = map[string]creation{}
	}
	v := service{t: t, stores: s, tasks: &tasks{}, queues: &queues{fail: map[string]error{}}, log: &bytes.Buffer{}}
	v.handler = api.New(s, s, v.tasks, v.queues, keyring{}, api.Config{Now: clock, Log: slog.New(slog.NewJSONHandler(v.log, nil))})
	return v
}

// serveClients returns the API over a real store of clients. It has no other store.
func serveClients(t *testing.T, c api.Clients) service {
	t.Helper()
	v := service{t: t, log: &bytes.Buffer{}}
	v.handler = api.New(c, nil, nil, nil, keyring{}, api.Config{Now: time.Now, Log: slog.New(slog.NewJSONHandler(v.log, nil))})
	return v
}

// without is the value of a header that is not sent.
const without = "\x00"

// call sends a request with the key of an admin. headers are pairs of name and
// value, and replace the headers that a request has by default. A name that comes
// several times has all its values.
func (v service) call(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	v.t.Helper()
	return v.callIn(v.t.Context(), method, target, body, headers...)
}

// callIn sends a request as call does, in a context.
func (v service) callIn(ctx context.Context, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	v.t.Helper()
	var sent io.Reader
	if body != "" {
		sent = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(ctx, method, target, sent)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+adminKey)
	given := http.Header{}
	for pair := range slices.Chunk(headers, 2) {
		given.Add(pair[0], pair[1])
	}
	maps.Copy(r.Header, given)
	maps.DeleteFunc(r.Header, func(_ string, values []string) bool { return values[0] == without })
	w := httptest.NewRecorder()
	v.handler.ServeHTTP(w, r)
	return w
}

// where returns the Location of an answer, resolved by the URL of the request.
func where(t *testing.T, asked string, w *httptest.ResponseRecorder) string {
	t.Helper()
	return resolved(t, asked, w.Header().Get("Location"))
}

// resolved returns the target of a reference in the answer to a request.
func resolved(t *testing.T, asked, reference string) string {
	t.Helper()
	base, err := url.Parse(asked)
	if err != nil {
		t.Fatal(err)
	}
	to, err := base.Parse(reference)
	if err != nil {
		t.Fatal(err)
	}
	return to.String()
}

// wantJSON compares a response with the expected status and JSON.
func wantJSON(t *testing.T, w *httptest.ResponseRecorder, status int, want string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("status %d, want %d: %s", w.Code, status, w.Body)
		return
	}
	if diff := cmp.Diff(decoded(t, want), decoded(t, w.Body.String())); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("not JSON: %v: %s", err, text)
	}
	return v
}

// wantProblem checks a problem document: its status and the locations of its
// errors.
func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int, locations ...string) {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("not a problem document: %d %v: %s", w.Code, err, w.Body)
	}
	if w.Code != status || p.Status != status || p.Title != http.StatusText(status) || p.Detail == "" {
		t.Errorf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q", got)
	}
	got := make([]string, 0, len(p.Errors))
	for _, f := range p.Errors {
		if f.Message == "" {
			t.Errorf("no message for %s", f.Location)
		}
		got = append(got, f.Location)
	}
	if diff := cmp.Diff(locations, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("locations (-want +got):\n%s%s", diff, w.Body)
	}
}

var ann = mailing.Client{ID: 7, Phone: "79001234567", OperatorCode: "900", Tag: "vip", Timezone: "Europe/Moscow"}

const (
	annJSON = `{"id": 7, "phone": "79001234567", "operator_code": "900", "tag": "vip", "timezone": "Europe/Moscow"}`
	annBody = `{"phone": "79001234567", "tag": "vip", "timezone": "Europe/Moscow"}`
)

// sale returns a running mailing.
func sale() mailing.Mailing {
	return mailing.Mailing{
		ID: 3,
		Draft: mailing.Draft{
			Text: "Sale", StartAt: now.Add(-time.Hour), EndAt: now.Add(time.Hour),
			Filter: mailing.Filter{Tags: []string{"vip"}}, OnUncertain: mailing.Resend,
		},
		Status: mailing.StatusRunning, Version: 4, CreatedAt: now.Add(-2 * time.Hour), UpdatedAt: now.Add(-time.Hour),
	}
}

const (
	saleFields = `"id": 3, "text": "Sale", "start_at": "2030-01-31T11:00:00.000Z", "end_at": "2030-01-31T13:00:00.000Z",
		"filter": {"operator_codes": [], "tags": ["vip"]}, "window": null, "on_uncertain": "resend",
		"sms": {"encoding": "GSM-7", "units": 4, "segments": 1}, "status": "running", "paused_by": null, "version": 4, "created_at": "2030-01-31T10:00:00.000Z", "updated_at": "2030-01-31T11:00:00.000Z"`
	saleBody = `{"text": "Sale", "start_at": "2030-01-31T11:00:00Z", "end_at": "2030-01-31T13:00:00Z", "filter": {"tags": ["vip"]}}`
)
