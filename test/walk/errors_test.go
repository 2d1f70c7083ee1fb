package walk_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// provoke changes a documented request, or the world, so that the request gets an error.
type provoke func(w *world, r *request)

// gatewayOnly are answers that API Gateway gives by itself.
var gatewayOnly = map[int]string{
	http.StatusTooManyRequests: "its throttling",
}

// never are documented errors that cannot be ruled out, and that no test here can cause.
var never = map[string]map[int]string{
	"get-index":  {http.StatusInternalServerError: "it uses nothing that could fail"},
	"get-health": {http.StatusInternalServerError: "it uses nothing that could fail"},
	// Keys that cannot be read are a 503.
	"create-session": {http.StatusInternalServerError: "it uses nothing that could fail but the keys"},
	"get-session":    {http.StatusInternalServerError: "it uses nothing that could fail but the keys"},
	"delete-session": {http.StatusInternalServerError: "it uses nothing that could fail"},
}

// common returns how to provoke an error of any operation that has it.
func common() map[int]provoke {
	return map[int]provoke{
		http.StatusUnauthorized:       func(w *world, _ *request) { w.key = "" },
		http.StatusForbidden:          func(w *world, _ *request) { w.key = string(mailing.Viewer) },
		http.StatusServiceUnavailable: func(w *world, _ *request) { w.unreadable = errors.New("no parameter") },
		http.StatusBadRequest: func(_ *world, r *request) {
			if r.body != nil {
				r.body = []byte{}
			} else {
				r.query.Set("cursor", "foreign")
			}
		},
		http.StatusNotFound:           func(_ *world, r *request) { r.path["id"] = "2097151" },
		http.StatusPreconditionFailed: func(_ *world, r *request) { r.header.Set("If-Match", `"999"`) },
		http.StatusRequestEntityTooLarge: func(_ *world, r *request) {
			r.body = append(slices.Clone(r.body), strings.Repeat(" ", 1<<20)...)
		},
		http.StatusUnsupportedMediaType: func(_ *world, r *request) { r.header.Set("Content-Type", "text/plain") },
		http.StatusUnprocessableEntity: func(w *world, r *request) {
			switch {
			case r.body != nil:
				r.body = with(w, r.body, map[string]any{"no_such_key": 1})
			case r.path["id"] != "":
				r.path["id"] = "one"
			default:
				r.query = map[string][]string{"no_such_key": {"1"}}
			}
		},
		http.StatusInternalServerError: func(w *world, _ *request) {
			broken := errors.New("broken")
			w.lines.meet = func() error { return broken }
			w.everyCall(dynamotest.Fault{Refuse: broken})
		},
	}
}

// special returns how to provoke an error of one operation.
func special() map[string]map[int]provoke {
	taken := func(w *world, r *request) { r.body = with(w, r.body, map[string]any{"phone": "79007654321"}) }
	badPhone := func(w *world, r *request) { r.body = with(w, r.body, map[string]any{"phone": "7"}) }
	// The filter is locked once the mailing runs.
	locked := func(w *world, r *request) {
		r.header.Del("If-Match")
		w.clock.AdvanceTo(w.mailing().StartAt)
		w.work()
		r.body = with(w, r.body, map[string]any{"filter": map[string]any{"tags": []string{"other"}}})
	}
	endFirst := func(w *world, r *request) { r.body = with(w, r.body, map[string]any{"end_at": "2030-03-01T09:10:00Z"}) }
	// The page of another site has made the request, with a session.
	foreign := func(w *world, r *request) {
		r.header.Set("Cookie", "postrider_session="+w.key)
		r.header.Set("Sec-Fetch-Site", "cross-site")
		w.key = ""
	}
	// A new mailing is scheduled.
	asItIs := func(*world, *request) {}
	return map[string]map[int]provoke{
		"create-client":  {http.StatusConflict: taken, http.StatusUnprocessableEntity: badPhone},
		"replace-client": {http.StatusConflict: taken, http.StatusUnprocessableEntity: badPhone},
		"change-client":  {http.StatusConflict: taken, http.StatusUnprocessableEntity: badPhone},
		"delete-client": {http.StatusConflict: func(w *world, r *request) {
			id, err := strconv.ParseUint(r.path["id"], 10, 32)
			if err != nil {
				w.t.Fatal(err)
			}
			w.everyWrite(func(n int64) error {
				_, err := w.store.UpdateClient(w.t.Context(), mailing.ClientID(id), func(c mailing.Client) (mailing.Client, error) {
					c.Tag = strconv.FormatInt(n, 10)
					return c, nil
				})
				return err
			})
		}},
		"create-mailing": {http.StatusUnprocessableEntity: endFirst, http.StatusConflict: func(w *world, _ *request) {
			m := w.mailing()
			w.everyWrite(func(int64) error {
				_, err := w.store.CreateMailing(w.t.Context(), m, mailing.Idempotency{})
				return err
			})
		}},
		"delete-mailing": {http.StatusConflict: func(w *world, r *request) {
			r.header.Del("If-Match")
			w.everyWrite(func(int64) error {
				_, err := w.store.UpdateMailing(w.t.Context(), 1, func(m mailing.Mailing) (mailing.Mailing, error) {
					m.Version++
					return m, nil
				})
				return err
			})
		}},
		"replace-mailing": {http.StatusConflict: locked, http.StatusUnprocessableEntity: endFirst},
		"change-mailing":  {http.StatusConflict: locked, http.StatusUnprocessableEntity: endFirst},
		"pause-mailing":   {http.StatusConflict: asItIs},
		"resume-mailing":  {http.StatusConflict: asItIs},
		"retry-mailing": {
			http.StatusConflict: asItIs,
			// The body may be empty, so only a broken one is an error.
			http.StatusBadRequest: func(_ *world, r *request) { r.body = []byte("{") },
		},
		"cancel-mailing": {http.StatusConflict: func(w *world, r *request) {
			r.header.Del("If-Match")
			w.clock.AdvanceTo(w.mailing().EndAt)
			for w.mailing().Status != mailing.StatusCompleted {
				w.minute(nil)
			}
		}},
		"import-clients": {
			http.StatusRequestEntityTooLarge: func(_ *world, r *request) { r.body = append(r.body, strings.Repeat("\n", 4<<20)...) },
			// The first media type is a form, which says its boundary there.
			http.StatusBadRequest: func(_ *world, r *request) { r.header.Set("Content-Type", "multipart/form-data") },
			http.StatusUnprocessableEntity: func(_ *world, r *request) {
				r.header.Set("Content-Type", "text/csv")
				r.body = []byte("tag,timezone\n")
			},
		},
		"create-session": {
			http.StatusForbidden:    foreign,
			http.StatusUnauthorized: func(w *world, r *request) { r.body = with(w, r.body, map[string]any{"key": "unknown"}) },
		},
		"delete-session":       {http.StatusForbidden: foreign},
		"preview-mailing":      {http.StatusForbidden: foreign},
		"get-mailing-series":   {http.StatusUnprocessableEntity: func(_ *world, r *request) { r.query.Set("step", "15") }},
		"list-messages":        {http.StatusNotFound: func(_ *world, r *request) { r.query.Set("mailing_id", "2097151") }},
		"redrive-dead-letters": {http.StatusNotFound: func(_ *world, r *request) { r.query.Set("mailing_id", "2097151") }},
		"process-mailings": {
			http.StatusServiceUnavailable: func(w *world, _ *request) { w.lines.meet = func() error { return errors.New("no queue") } },
			// There a failing queue is a 503; only a mistake in the code is a 500.
			http.StatusInternalServerError: func(w *world, _ *request) { w.lines.meet = func() error { panic("a mistake") } },
		},
	}
}

// everyCall lets each call of the API to its tables meet a fault.
func (w *world) everyCall(fault dynamotest.Fault) {
	for _, op := range []dynamotest.Op{
		dynamotest.GetItem, dynamotest.UpdateItem, dynamotest.Query, dynamotest.BatchGetItem, dynamotest.TransactWriteItems,
	} {
		w.faults.Always(op, fault)
	}
}

// everyWrite calls others just before each write of the API.
func (w *world) everyWrite(others func(n int64) error) {
	var n atomic.Int64
	w.faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Before: func() {
		if err := others(n.Add(1)); err != nil {
			w.t.Errorf("others: %v", err)
		}
	}})
}

// base creates the data that requests need: clients, a mailing, a test message.
func base(w *world, d *description) {
	w.t.Helper()
	others(w, d)
	for _, id := range []string{"create-client", "create-mailing", "test-mailing"} {
		answer := w.send(w.first(d.operations[id]))
		if answer.Code >= http.StatusMultipleChoices {
			w.t.Fatalf("%s: status %d: %s", id, answer.Code, answer.Body)
		}
		w.follow(d.operations[id], answer)
	}
}

// walkErrors provokes each error of each operation, each in a world of its own, and
// returns their number. The answer must equal the example in the description.
func walkErrors(t *testing.T, d *description) int {
	t.Helper()
	for id, rows := range special() {
		for status := range rows {
			if op := d.operations[id]; op == nil || op.Responses[strconv.Itoa(status)].pointer == "" {
				t.Errorf("%s: its %d is provoked, but not described", id, status)
			}
		}
	}
	walked := 0
	for _, id := range slices.Sorted(maps.Keys(d.operations)) {
		op := d.operations[id]
		for _, name := range slices.Sorted(maps.Keys(op.Responses)) {
			status, err := strconv.Atoi(name)
			if err != nil {
				t.Errorf("%s: %s is not a status", id, name)
			}
			if status < http.StatusBadRequest || gatewayOnly[status] != "" || never[id][status] != "" {
				continue
			}
			how := special()[id][status]
			if how == nil {
				how = common()[status]
			}
			if how == nil {
				t.Errorf("%s: nothing provokes its %d: give it a row in special", id, status)
				continue
			}
			walkError(t, d, op, status, how)
			walked++
		}
	}
	return walked
}

func walkError(t *testing.T, d *description, op *operation, status int, how provoke) {
	t.Helper()
	w := newWorld(t)
	base(w, d)
	r := w.first(op)
	how(w, r)
	answer := w.send(r)
	if err := d.conforms(op, answer); err != nil || answer.Code != status {
		t.Errorf("%s: status %d, want %d; %v\n%s", op.OperationID, answer.Code, status, err, answer.Body)
		return
	}
	example := op.Responses[strconv.Itoa(status)].Content["application/problem+json"].Example
	if diff := cmp.Diff(decoded(t, example), decoded(t, answer.Body.Bytes())); diff != "" {
		t.Errorf("%s: %d is not the description's example (-described +got):\n%s", op.OperationID, status, diff)
	}
}

func decoded(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}
