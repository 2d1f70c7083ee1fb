package faults_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"postrider/internal/mailing"
)

// repeated sends a request until it succeeds completely, while one of its calls meets an
// accident. It returns how many calls the API made up to the first answer.
func (w *world) repeated(t *testing.T, at int, kind accident, path, body string, headers ...string) int {
	t.Helper()
	w.gate.at, w.gate.kind = at, kind
	calls := 0
	for range 3 {
		answer := w.call(http.MethodPost, path, body, headers...)
		if calls == 0 {
			calls = len(w.gate.calls)
		}
		switch whole := !strings.Contains(answer.Body.String(), "next_line"); {
		case answer.Code < 300 && whole:
			return calls
		case answer.Code >= 300 && answer.Code < 500:
			t.Fatalf("%s %d: status %d: %s", accidents[kind], at, answer.Code, answer.Body)
		}
	}
	t.Fatalf("%s %d: it never succeeds", accidents[kind], at)
	return 0
}

// atEachCall runs a story without an accident, then with each kind of accident at each of
// its calls, and returns the number of those runs.
func atEachCall(t *testing.T, story func(t *testing.T, at int, kind accident) (calls int)) int {
	t.Helper()
	points, recorded := 0, story(t, 0, refused)
	for kind := range accidents {
		for at := 1; at <= recorded && !t.Failed(); at++ {
			story(t, at, kind)
			points++
		}
	}
	return points
}

func TestARequestWithAnIdempotencyKeyCreatesOnceAfterAnyFault(t *testing.T) {
	t.Parallel()
	points := atEachCall(t, func(t *testing.T, at int, kind accident) int {
		t.Helper()
		w := inMemory(t)
		made := w.clients(3)
		calls := w.repeated(t, at, kind, "/api/mailings", w.posted(nil), "Idempotency-Key", "k-1")
		live, err := w.store.Live(w.ctx)
		if err != nil || len(live) != 1 {
			t.Fatalf("%s %d: %d mailings, %v", accidents[kind], at, len(live), err)
		}
		w.remember(live[0])
		w.repeated(t, 0, kind, "/api/mailings/1/test", `{"phone": "79995550000"}`, "Idempotency-Key", "k-2")
		w.repeated(t, 0, kind, "/api/mailings/1/test", `{"phone": "79995550000"}`, "Idempotency-Key", "k-2")
		w.run(25*time.Hour, func() bool { return w.mailing(1).Finished })
		if c := w.counts(1); c.Sent != int64(len(made)) {
			t.Errorf("%s %d: counts %+v", accidents[kind], at, c)
		}
		if n := len(w.provider.took()[mailing.NewMessageID(mailing.TestMailing, 1)]); n != 1 {
			t.Errorf("%s %d: the test message was handed over %d times", accidents[kind], at, n)
		}
		w.check()
		return calls
	})
	t.Logf("figure: %d accidents to a POST with its Idempotency-Key, repeated: one mailing each time", points)
}

func TestAnImportThatIsRepeatedLosesNoRowAfterAnyFault(t *testing.T) {
	t.Parallel()
	const rows = 70 // three transactions
	var file strings.Builder
	file.WriteString("phone,timezone\n")
	for n := range rows {
		fmt.Fprintf(&file, "7911%07d,UTC\n", n)
	}
	points := atEachCall(t, func(t *testing.T, at int, kind accident) int {
		t.Helper()
		w := inMemory(t)
		calls := w.repeated(t, at, kind, "/api/clients/import", file.String(), "Content-Type", "text/csv")
		var again struct {
			Unchanged int `json:"unchanged"`
		}
		answer := w.call(http.MethodPost, "/api/clients/import", file.String(), "Content-Type", "text/csv")
		if err := json.Unmarshal(answer.Body.Bytes(), &again); err != nil || again.Unchanged != rows {
			t.Errorf("%s %d: %v, in the end %s", accidents[kind], at, err, answer.Body)
		}
		n, err := w.store.CountAudience(w.ctx, mailing.Filter{})
		if err != nil || n != rows {
			t.Errorf("%s %d: %d clients, %v", accidents[kind], at, n, err)
		}
		return calls
	})
	t.Logf("figure: %d accidents to an import, repeated: each row is there, once", points)
}
