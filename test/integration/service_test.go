//go:build integration

package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	domain "postrider/internal/mailing"
	"postrider/localstack/stack"
	"postrider/test/invariants"
)

// service is Postrider and the fake provider as a user sees them: addresses that answer
// HTTP.
type service struct {
	base     string
	provider string
	http     *http.Client
	// directory and mailings record the clients and mailings that are created.
	directory *directory
	mailings  *entries
}

func newService(base, provider string) *service {
	return &service{
		base: base, provider: provider,
		http: &http.Client{
			Timeout:   limit,
			Transport: &http.Transport{MaxIdleConnsPerHost: 32, MaxConnsPerHost: 32},
		},
		directory: &directory{clients: map[domain.ClientID]*invariants.Client{}}, mailings: &entries{},
	}
}

// answer is the answer to one request.
type answer struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
}

// ask sends one request with an admin's key. A body that is a string is sent as it is,
// any other as JSON.
func (s *service) ask(ctx context.Context, method, url string, body any) (answer, error) {
	return s.askWith(ctx, method, url, body, nil)
}

// askWith is ask with additional headers, which replace the usual ones; an empty one is
// left out.
func (s *service) askWith(ctx context.Context, method, url string, body any, header map[string]string) (answer, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			return answer{}, err
		}
		reader = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		return answer{}, err
	}
	if strings.HasPrefix(url, s.base) {
		req.Header.Set("Authorization", "Bearer "+stack.AdminKey)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range header {
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	sent := time.Now()
	resp, err := s.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	whole, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	got := answer{resp.StatusCode, resp.Header, whole, time.Since(sent)}
	return got, s.note(method, strings.TrimPrefix(url, s.base), got, sent)
}

// call sends a request to the API and demands a status. If into is not nil, it receives
// the body.
func (s *service) call(t *testing.T, method, path string, body any, want int, into any) answer {
	t.Helper()
	got, err := s.ask(t.Context(), method, s.base+path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if got.status != want {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, got.status, want, got.body)
	}
	if into != nil {
		if err := json.Unmarshal(got.body, into); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, got.body)
		}
	}
	return got
}

// where returns the Location of an answer, resolved as a client does.
func (s *service) where(t *testing.T, asked string, got answer) string {
	t.Helper()
	base, err := url.Parse(s.base + asked)
	if err != nil {
		t.Fatal(err)
	}
	to, err := base.Parse(got.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(to.String(), s.base)
}

type client struct {
	ID           int64  `json:"id,omitempty"`
	Phone        string `json:"phone"`
	OperatorCode string `json:"operator_code,omitempty"`
	Tag          string `json:"tag,omitempty"`
	Timezone     string `json:"timezone"`
}

type filter struct {
	OperatorCodes []string `json:"operator_codes,omitempty"`
	Tags          []string `json:"tags,omitempty"`
}

type window struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type mailing struct {
	ID      int64     `json:"id,omitempty"`
	Text    string    `json:"text"`
	StartAt time.Time `json:"start_at"`
	EndAt   time.Time `json:"end_at"`
	Filter  filter    `json:"filter"`
	Window  *window   `json:"window,omitempty"`
	// OnUncertain is resend if it is empty.
	OnUncertain string `json:"on_uncertain,omitempty"`
	Status      string `json:"status,omitempty"`
	Version     int64  `json:"version,omitempty"`
}

type counts struct {
	Total     int `json:"total"`
	Queued    int `json:"queued"`
	Retrying  int `json:"retrying"`
	Deferred  int `json:"deferred"`
	Sent      int `json:"sent"`
	Failed    int `json:"failed"`
	Expired   int `json:"expired"`
	Cancelled int `json:"cancelled"`
	Skipped   int `json:"skipped"`
	Uncertain int `json:"uncertain"`
}

func (c counts) pending() int { return c.Queued + c.Retrying + c.Deferred }

func (c counts) domain() domain.Counts {
	return domain.Counts{
		Total: int64(c.Total), Queued: int64(c.Queued), Retrying: int64(c.Retrying), Deferred: int64(c.Deferred), Sent: int64(c.Sent),
		Failed: int64(c.Failed), Expired: int64(c.Expired), Cancelled: int64(c.Cancelled), Skipped: int64(c.Skipped), Uncertain: int64(c.Uncertain),
	}
}

func (c counts) sum() int {
	return c.pending() + c.Sent + c.Failed + c.Expired + c.Cancelled + c.Skipped + c.Uncertain
}

type message struct {
	ID                int64      `json:"id"`
	MailingID         int64      `json:"mailing_id"`
	ClientID          int64      `json:"client_id"`
	Test              bool       `json:"test"`
	Phone             string     `json:"phone"`
	Status            string     `json:"status"`
	Attempts          int        `json:"attempts"`
	UncertainAttempts int        `json:"uncertain_attempts"`
	LastError         string     `json:"last_error"`
	SentAt            *time.Time `json:"sent_at"`
}

type info struct {
	Mailing    mailing   `json:"mailing"`
	Counts     counts    `json:"counts"`
	Expanded   bool      `json:"expanded"`
	Progress   *float64  `json:"progress"`
	Rate       float64   `json:"rate"`
	Messages   []message `json:"messages"`
	NextCursor string    `json:"next_cursor"`
}

// now returns the body of a mailing that starts at once and ends in an hour.
func now(text string, f filter) mailing {
	return mailing{Text: text, StartAt: time.Now().Add(-time.Second), EndAt: time.Now().Add(time.Hour), Filter: f}
}

func (s *service) create(t *testing.T, m mailing) mailing {
	t.Helper()
	s.call(t, http.MethodPost, "/api/mailings", m, http.StatusCreated, &m)
	return m
}

func (s *service) info(t *testing.T, id int64) info {
	t.Helper()
	var i info
	s.call(t, http.MethodGet, fmt.Sprintf("/api/mailings/%d/info?limit=0", id), nil, http.StatusOK, &i)
	if i.Counts.sum() != i.Counts.Total {
		t.Errorf("mailing %d: the counts do not add up: %+v", id, i.Counts)
	}
	return i
}

// until polls a mailing's statistics until done returns true.
func (s *service) until(t *testing.T, id int64, what string, done func(info) bool) info {
	t.Helper()
	var last info
	poll(t, fmt.Sprintf("mailing %d: %s", id, what), func() (bool, string) {
		last = s.info(t, id)
		return done(last), fmt.Sprintf("%s, expanded %t, %+v", last.Mailing.Status, last.Expanded, last.Counts)
	})
	return last
}

// completed waits until all messages of a mailing are accounted for.
func (s *service) completed(t *testing.T, id int64) info {
	t.Helper()
	return s.until(t, id, "completed", func(i info) bool { return i.Mailing.Status == "completed" })
}

// messages returns all messages of a mailing, from all pages.
func (s *service) messages(t *testing.T, id int64, query string) []message {
	t.Helper()
	var all []message
	for cursor := ""; ; {
		var page struct {
			Items      []message `json:"items"`
			NextCursor string    `json:"next_cursor"`
		}
		path := fmt.Sprintf("/api/messages?mailing_id=%d&limit=100%s", id, query)
		if cursor != "" {
			path += "&cursor=" + cursor
		}
		s.call(t, http.MethodGet, path, nil, http.StatusOK, &page)
		all = append(all, page.Items...)
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
	}
}

// limit is how long a test waits for a condition or an answer before it fails. It is long
// enough for a machine whose processors have other work, too.
const limit = 10 * time.Minute

// poll calls ask until it returns ok. After [limit] it fails and shows the last value of
// seen. Tests use it to wait for a process that they can only observe.
func poll(t *testing.T, what string, ask func() (ok bool, seen string)) {
	t.Helper()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, seen := ask()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-timeout.C:
			t.Fatalf("%s: not within %s; last seen: %s", what, limit, seen)
		case <-t.Context().Done():
			t.Fatalf("%s: the test ended; last seen: %s", what, seen)
		}
	}
}
