//go:build integration

package integration_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// problem is an RFC 9457 problem document.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Errors []struct {
		Location string `json:"location"`
		Message  string `json:"message"`
		Value    any    `json:"value"`
	} `json:"errors"`
}

func testBadInput(t *testing.T, s *service) {
	mailingBody := func(change string) string {
		whole := map[string]any{
			"text": "hello", "start_at": "2026-01-01T00:00:00Z", "end_at": time.Now().Add(time.Hour).Format(time.RFC3339),
			"filter": map[string]any{},
		}
		var changed map[string]any
		if err := json.Unmarshal([]byte(change), &changed); err != nil {
			t.Fatal(err)
		}
		for k, v := range changed {
			whole[k] = v
		}
		encoded, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		return string(encoded)
	}
	s.clients(t, "1850", 1, nil)
	tests := []struct {
		name, method, path, body string
		status                   int
		location                 string
	}{
		{"a phone of 10 digits", "POST", "/api/clients", `{"phone":"7900123456","timezone":"UTC"}`, 422, "body.phone"},
		{"a phone that is a number", "POST", "/api/clients", `{"phone":79001234567,"timezone":"UTC"}`, 422, "body.phone"},
		{"an unknown zone", "POST", "/api/clients", `{"phone":"79001234567","timezone":"Europe/Atlantis"}`, 422, "body.timezone"},
		{"no zone", "POST", "/api/clients", `{"phone":"79001234567"}`, 422, ""},
		{"an unknown key", "POST", "/api/clients", `{"phone":"79001234567","timezone":"UTC","colour":"red"}`, 422, "body.colour"},
		{"a body that is not JSON", "POST", "/api/clients", `phone=79001234567`, 400, ""},
		{"half a body", "POST", "/api/clients", `{"phone":`, 400, ""},
		{"no body", "POST", "/api/clients", ``, 400, ""},
		{"an end before the start", "POST", "/api/mailings", mailingBody(`{"start_at":"2036-01-01T00:00:00Z"}`), 422, "body.end_at"},
		{"an end that has passed", "POST", "/api/mailings", mailingBody(`{"end_at":"2026-02-01T00:00:00Z"}`), 422, "body.end_at"},
		{"a time without an offset", "POST", "/api/mailings", mailingBody(`{"end_at":"2036-02-01T00:00:00"}`), 422, "body.end_at"},
		{"a blank text", "POST", "/api/mailings", mailingBody(`{"text":"  "}`), 422, "body.text"},
		{"a text of 1,601 characters", "POST", "/api/mailings", mailingBody(`{"text":"` + strings.Repeat("a", 1601) + `"}`), 422, "body.text"},
		{"a filter with an unknown key", "POST", "/api/mailings", mailingBody(`{"filter":{"tag":["vip"]}}`), 422, "body.filter.tag"},
		{"a window that has no length", "POST", "/api/mailings", mailingBody(`{"window":{"from":"09:00","to":"09:00"}}`), 422, "body.window"},
		{"a window of no time", "POST", "/api/mailings", mailingBody(`{"window":{"from":"25:00","to":"09:00"}}`), 422, "body.window.from"},
		{"an unknown on_uncertain", "POST", "/api/mailings", mailingBody(`{"on_uncertain":"hope"}`), 422, "body.on_uncertain"},
		{"an unknown client", "GET", "/api/clients/4294967295", "", 404, ""},
		{"an id above all clients' ids", "GET", "/api/clients/4294967297", "", 404, ""},
		{"a negative id", "GET", "/api/clients/-1", "", 404, ""},
		{"an id of another type", "GET", "/api/clients/abc", "", 422, "path.id"},
		{"an unknown mailing", "GET", "/api/mailings/2000000", "", 404, ""},
		{"a mailing's id of another type", "GET", "/api/mailings/1.5", "", 422, "path.id"},
		{"the statistics of an unknown mailing", "GET", "/api/mailings/2000000/info", "", 404, ""},
		{"an unknown message", "GET", "/api/messages/9007199254740991", "", 404, ""},
		{"pausing an unknown mailing", "POST", "/api/mailings/2000000/pause", "", 404, ""},
		{"an unknown path", "GET", "/api/nothing", "", 404, ""},
		{"a method that is not there", "DELETE", "/api/clients", "", 405, ""},
		{"a limit of 0", "GET", "/api/clients?limit=0", "", 422, "query.limit"},
		{"a limit of 101", "GET", "/api/clients?limit=101", "", 422, "query.limit"},
		{"an unknown status", "GET", "/api/mailings?status=happy", "", 422, "query.status"},
		{"a cursor of nothing", "GET", "/api/clients?cursor=abc", "", 400, ""},
	}
	answers := map[int]int{}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var body any
			if test.body != "" || test.method == http.MethodPost {
				body = test.body
			}
			got, err := s.ask(t.Context(), test.method, s.base+test.path, body)
			if err != nil {
				t.Fatal(err)
			}
			answers[got.status]++
			if got.status != test.status {
				t.Fatalf("status %d, want %d: %s", got.status, test.status, got.body)
			}
			if kind := got.header.Get("Content-Type"); !strings.HasPrefix(kind, "application/problem+json") {
				t.Errorf("the answer is %s", kind)
			}
			var p problem
			if err := json.Unmarshal(got.body, &p); err != nil || p.Status != test.status || p.Title == "" {
				t.Errorf("problem %+v, %v", p, err)
			}
			found := test.location == ""
			for _, e := range p.Errors {
				found = found || e.Location == test.location
				if e.Value != nil {
					t.Errorf("it echoes %v", e.Value)
				}
			}
			if !found {
				t.Errorf("it does not name %s: %s", test.location, got.body)
			}
			if strings.Contains(string(got.body), "79001234567") {
				t.Errorf("it echoes the phone: %s", got.body)
			}
		})
	}
	t.Run("a phone that is taken by another", func(t *testing.T) {
		var made client
		s.call(t, http.MethodPost, "/api/clients", client{Phone: "71851000001", Timezone: "UTC"}, http.StatusCreated, &made)
		got := s.call(t, http.MethodPost, "/api/clients", client{Phone: "71851000001", Timezone: "UTC"}, http.StatusConflict, nil)
		answers[got.status]++
		if strings.Contains(string(got.body), made.Phone) {
			t.Errorf("it echoes the phone: %s", got.body)
		}
	})
	figure(t, "%d bad requests, answers by status: %v; none of them 5xx", len(tests)+1, answers)
}
