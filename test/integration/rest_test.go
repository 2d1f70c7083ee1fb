//go:build integration

package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"postrider/localstack/stack"
)

// testRest calls the operations that the other tests do not.
func testRest(t *testing.T, s *service) {
	for _, path := range []string{"/healthz", "/api", "/api/", "/openapi.json", "/openapi.yaml", "/api/clients/", "/api/mailings/"} {
		s.call(t, http.MethodGet, path, nil, http.StatusOK, nil)
	}
	var c client
	created := s.call(t, http.MethodPost, "/api/clients", client{Phone: "71990000001", Tag: "rest", Timezone: "UTC"}, http.StatusCreated, &c)
	path := fmt.Sprintf("/api/clients/%d", c.ID)
	if got := s.where(t, "/api/clients", created); got != path {
		t.Errorf("Location is %q, want %q", got, path)
	}
	s.call(t, http.MethodPatch, path, `{"phone": "71990000002", "tag": null}`, http.StatusOK, &c)
	if c.Phone != "71990000002" || c.Tag != "" || c.OperatorCode != "199" {
		t.Errorf("patched: %+v", c)
	}
	s.call(t, http.MethodPut, path, client{Phone: "71990000001", OperatorCode: "777", Tag: "rest", Timezone: "Asia/Omsk"}, http.StatusOK, &c)
	for _, query := range []string{"phone=71990000001", "operator_code=777", "tag=rest", "tag=rest&operator_code=777"} {
		var list struct {
			Items []client `json:"items"`
		}
		s.call(t, http.MethodGet, "/api/clients?"+query, nil, http.StatusOK, &list)
		if len(list.Items) != 1 || list.Items[0] != c {
			t.Errorf("%s finds %+v", query, list.Items)
		}
	}
	m := now("rest", filter{Tags: []string{"rest"}})
	m.StartAt, m.EndAt = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
	got := s.call(t, http.MethodPost, "/api/mailings", m, http.StatusCreated, &m)
	whole := fmt.Sprintf("/api/mailings/%d", m.ID)
	etag := got.header.Get("ETag")
	s.call(t, http.MethodGet, whole, nil, http.StatusOK, &m)
	m.Text = "changed"
	s.call(t, http.MethodPut, whole, m, http.StatusOK, &m)
	stale, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.base+whole, nil)
	if err != nil {
		t.Fatal(err)
	}
	stale.Header.Set("If-Match", etag)
	stale.Header.Set("X-API-Key", stack.AdminKey)
	resp, err := s.http.Do(stale)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("a delete with a stale version: status %d", resp.StatusCode)
	}
	s.call(t, http.MethodDelete, whole, nil, http.StatusNoContent, nil)
	s.call(t, http.MethodDelete, path, nil, http.StatusNoContent, nil)
	s.call(t, http.MethodGet, path, nil, http.StatusNotFound, nil)
	s.walk(t, "/api/mailings?limit=7")
	s.walk(t, "/api/mailings?limit=7&status=completed")
	s.walk(t, fmt.Sprintf("/api/messages?limit=40&client_id=%d", s.anyClient(t)))
}

// walk follows a list to its end, and demands that no id occurs twice.
func (s *service) walk(t *testing.T, path string) {
	t.Helper()
	seen := map[int64]bool{}
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				ID int64 `json:"id"`
			} `json:"items"`
			NextCursor string `json:"next_cursor"`
		}
		url := path
		if cursor != "" {
			url += "&cursor=" + cursor
		}
		s.call(t, http.MethodGet, url, nil, http.StatusOK, &page)
		for _, item := range page.Items {
			if seen[item.ID] {
				t.Errorf("%s: %d comes twice", path, item.ID)
			}
			seen[item.ID] = true
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if len(seen) == 0 {
		t.Errorf("%s: it is empty", path)
	}
}

// anyClient returns the id of a client that has messages.
func (s *service) anyClient(t *testing.T) int64 {
	t.Helper()
	got, err := s.ask(t.Context(), http.MethodGet, s.base+"/api/messages?limit=1&status=sent", nil)
	if err != nil {
		t.Fatal(err)
	}
	var page struct {
		Items []message `json:"items"`
	}
	if err := json.Unmarshal(got.body, &page); err != nil || len(page.Items) == 0 {
		t.Fatalf("no message: %v, %s", err, got.body)
	}
	return page.Items[0].ClientID
}
