package fakeprovider_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postrider/localstack/fakeprovider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const phone = "79001234567"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// request returns a request that hands over one message.
func request(id int64) *http.Request {
	r := httptest.NewRequest(http.MethodPost, fmt.Sprintf("/v1/send/%d", id),
		strings.NewReader(fmt.Sprintf(`{"id":%d,"phone":%s,"text":"Hello"}`, id, phone)))
	r.Header.Set("Authorization", "Bearer "+fakeprovider.DefaultToken)
	return r
}

// serve answers a request without a network. It returns nil if the fake provider cuts
// the connection.
func serve(s *fakeprovider.Server, r *http.Request) (w *httptest.ResponseRecorder) {
	w = httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler { //nolint:errorlint // net/http panics with exactly this
				panic(p)
			}
			w = nil
		}
	}()
	s.ServeHTTP(w, r)
	return w
}

// set changes the default behaviour.
func set(t *testing.T, s *fakeprovider.Server, change func(*fakeprovider.Behaviour)) {
	t.Helper()
	b := fakeprovider.Default()
	change(&b)
	if err := s.SetBehaviour(b); err != nil {
		t.Fatal(err)
	}
}

func answersOf(s *fakeprovider.Server) string {
	all := make([]string, 0, 8)
	for _, e := range s.Ledger() {
		all = append(all, e.Answer.String())
	}
	return strings.Join(all, " ")
}

func TestAValidHandOverIsAccepted(t *testing.T) {
	s := fakeprovider.New(fakeprovider.WithClock(func() time.Time { return noon }))
	w := serve(s, request(1<<32|1))
	if w.Code != http.StatusOK || w.Body.String() != `{"code":0,"message":"OK"}` {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	want := fakeprovider.Entry{ID: 1<<32 | 1, Phone: phone, Arrival: noon, Answer: fakeprovider.Accepted}
	if got := s.Ledger(); len(got) != 1 || got[0] != want {
		t.Errorf("ledger %+v", got)
	}
}

func TestWhatTheAPIWouldNotTakeIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name, path, token, body string
		status                  int
		answer                  string // "" for no line in the ledger
	}{
		{"no token", "1", "", `{"id":1,"phone":79001234567,"text":"x"}`, 401, "401"},
		{"another token", "1", "Bearer x", `{"id":1,"phone":79001234567,"text":"x"}`, 401, "401"},
		{"another id", "2", "", `{"id":1,"phone":79001234567,"text":"x"}`, 400, "400"},
		{"an id that is no number", "x", "", `{"id":0,"phone":79001234567,"text":"x"}`, 400, "400"},
		{"id 0", "0", "", `{"id":0,"phone":79001234567,"text":"x"}`, 400, "400"},
		{"an id in quotes", "1", "", `{"id":"1","phone":79001234567,"text":"x"}`, 400, "400"},
		{"no id", "1", "", `{"phone":79001234567,"text":"x"}`, 400, "400"},
		{"a phone in quotes", "1", "", `{"id":1,"phone":"79001234567","text":"x"}`, 400, "400"},
		{"a foreign phone", "1", "", `{"id":1,"phone":49001234567,"text":"x"}`, 400, "400"},
		{"a short phone", "1", "", `{"id":1,"phone":7900123456,"text":"x"}`, 400, "400"},
		{"a negative phone", "1", "", `{"id":1,"phone":-79001234567,"text":"x"}`, 400, "400"},
		{"no phone", "1", "", `{"id":1,"text":"x"}`, 400, "400"},
		{"an empty text", "1", "", `{"id":1,"phone":79001234567,"text":""}`, 400, "400"},
		{"no text", "1", "", `{"id":1,"phone":79001234567}`, 400, "400"},
		{"a text that is null", "1", "", `{"id":1,"phone":79001234567,"text":null}`, 400, "400"},
		{"no JSON", "1", "", `id=1`, 400, "400"},
		{"nothing", "1", "", ``, 400, "400"},
		{"more after it", "1", "", `{"id":1,"phone":79001234567,"text":"x"}{}`, 400, "400"},
		{"a huge text", "1", "", `{"id":1,"phone":79001234567,"text":"` + strings.Repeat("x", 64<<10) + `"}`, 400, "400"},
		{"a path without id", "", "", `{}`, 404, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := fakeprovider.New()
			r := httptest.NewRequest(http.MethodPost, "/v1/send/"+tt.path, strings.NewReader(tt.body))
			if tt.token == "" && tt.status != 401 {
				tt.token = "Bearer local-token"
			}
			r.Header.Set("Authorization", tt.token)
			w := serve(s, r)
			if w.Code != tt.status || (tt.status < 404 && w.Body.Len() > 0) {
				t.Errorf("got %d %q", w.Code, w.Body)
			}
			if got := answersOf(s); got != tt.answer {
				t.Errorf("ledger %q", got)
			}
			if st := s.Stats(); st.Accepted != 0 || st.Refused != st.Requests {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

func TestARequestThatEndsEarlyIsNotAccepted(t *testing.T) {
	s := fakeprovider.New()
	r := request(1)
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"id":1,`), broken{}))
	if serve(s, r) != nil || answersOf(s) != "cut" || s.Stats().Refused != 1 {
		t.Errorf("ledger %q, stats %+v", answersOf(s), s.Stats())
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestAnotherTokenCanBeAsked(t *testing.T) {
	s := fakeprovider.New(fakeprovider.WithToken("other"))
	if w := serve(s, request(1)); w.Code != http.StatusUnauthorized {
		t.Errorf("got %d", w.Code)
	}
}

func TestStatisticsAddUp(t *testing.T) {
	var clock time.Time
	s := fakeprovider.New(fakeprovider.WithClock(func() time.Time { return clock }))
	if got := serve(s, httptest.NewRequest(http.MethodGet, "/stats", nil)).Body.String(); got != `{"requests":0,"accepted":0,"unique":0,"duplicates":0,"refused":0,"first":null,"last":null}`+"\n" {
		t.Errorf("at first %s", got)
	}
	for i, id := range []int64{1, 2, 1, 3, 1, -4} {
		clock = noon.Add(time.Duration(i) * time.Second)
		serve(s, request(id))
	}
	w := serve(s, httptest.NewRequest(http.MethodGet, "/stats", nil))
	want := `{"requests":6,"accepted":5,"unique":3,"duplicates":2,"refused":1,"first":"2026-03-01T12:00:00.123456789Z","last":"2026-03-01T12:00:05.123456789Z"}` + "\n"
	if got := w.Body.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTheLedgerIsLinesOfJSON(t *testing.T) {
	s := fakeprovider.New(fakeprovider.WithClock(func() time.Time { return noon }))
	const n = (1 << 14) + 1000 // more than a block, and more than one write
	for id := range int64(n) {
		serve(s, request(id+1))
	}
	r := request(7)
	r.Header.Del("Authorization")
	serve(s, r)
	w := serve(s, httptest.NewRequest(http.MethodGet, "/ledger", nil))
	lines := bytes.Split(bytes.TrimSuffix(w.Body.Bytes(), []byte("\n")), []byte("\n"))
	if len(lines) != n+1 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, line := range lines[:n] {
		want := fmt.Sprintf(`{"id":%d,"phone":"79001234567","arrival":"2026-03-01T12:00:00.123456789Z","answer":"accepted"}`, i+1)
		if string(line) != want {
			t.Fatalf("line %d is %s", i, line)
		}
	}
	if got := string(lines[n]); got != `{"id":7,"phone":"","arrival":"2026-03-01T12:00:00.123456789Z","answer":"401"}` {
		t.Errorf("the last is %s", got)
	}
}

func TestResetForgetsTheLedgerAndKeepsTheBehaviour(t *testing.T) {
	s := fakeprovider.New()
	set(t, s, func(b *fakeprovider.Behaviour) { b.RejectPhones = []string{phone} })
	serve(s, request(1))
	if w := serve(s, httptest.NewRequest(http.MethodPost, "/reset", nil)); w.Code != http.StatusNoContent {
		t.Errorf("got %d", w.Code)
	}
	if st := s.Stats(); st != (fakeprovider.Stats{}) || len(s.Ledger()) != 0 {
		t.Errorf("it remembers %+v, %v", st, s.Ledger())
	}
	if w := serve(s, request(1)); w.Code != http.StatusBadRequest {
		t.Errorf("the behaviour is forgotten: %d", w.Code)
	}
}

func TestAHandOverUnderWayDoesNotComeBackAfterAReset(t *testing.T) {
	s := fakeprovider.New()
	r := request(1)
	r.Body = io.NopCloser(&interrupted{Reader: r.Body, meanwhile: s.Reset})
	if w := serve(s, r); w.Code != http.StatusOK {
		t.Errorf("got %d", w.Code)
	}
	if st := s.Stats(); st.Requests != 0 {
		t.Errorf("stats %+v", st)
	}
}

// interrupted is a reader that runs a function before it is read.
type interrupted struct {
	io.Reader
	meanwhile func()
}

func (r *interrupted) Read(p []byte) (int, error) {
	r.meanwhile()
	return r.Reader.Read(p)
}
