//go:build integration

package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
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
	var facets struct {
		Tags          []string `json:"tags"`
		MoreTags      bool     `json:"more_tags"`
		OperatorCodes []string `json:"operator_codes"`
	}
	s.call(t, http.MethodGet, "/api/clients/facets?prefix=re", nil, http.StatusOK, &facets)
	if !slices.Contains(facets.Tags, "rest") || !slices.Contains(facets.OperatorCodes, "777") || facets.MoreTags {
		t.Errorf("facets %+v", facets)
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
	testSeries(t, s)
	testSession(t, s)
	s.walk(t, "/api/mailings?limit=7")
	s.walk(t, "/api/mailings?limit=7&status=completed")
	s.walk(t, fmt.Sprintf("/api/messages?limit=40&client_id=%d", s.anyClient(t)))
}

// testSeries finds all messages of a mailing in its series: no sender is killed.
func testSeries(t *testing.T, s *service) {
	t.Helper()
	c := s.clients(t, "1980", 20, func(_ int, c *client) { c.Tag = "series" })
	m := s.create(t, now("series", filter{Tags: []string{"series"}}))
	s.completed(t, m.ID)
	// A sender counts just after it has settled.
	poll(t, "all messages are in the series", func() (bool, string) {
		var series struct {
			Step   int `json:"step"`
			Points []struct {
				Sent int `json:"sent"`
			} `json:"points"`
		}
		s.call(t, http.MethodGet, fmt.Sprintf("/api/mailings/%d/series?step=10", m.ID), nil, http.StatusOK, &series)
		sent := 0
		for _, p := range series.Points {
			sent += p.Sent
		}
		return sent == len(c) && series.Step == 10, fmt.Sprintf("%+v", series)
	})
}

// testSession signs a browser in, lets it read and change something, and signs it out.
func testSession(t *testing.T, s *service) {
	t.Helper()
	ask := func(method, path string, body any, header map[string]string) answer {
		t.Helper()
		if header["Authorization"] == "" {
			header["Authorization"] = ""
		}
		got, err := s.askWith(t.Context(), method, s.base+path, body, header)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	page := func(site string, cookie string) map[string]string {
		return map[string]string{"Cookie": cookie, "Sec-Fetch-Site": site, "Origin": s.base}
	}
	const path = "/api/session"
	signedIn := ask(http.MethodPost, path, map[string]string{"key": stack.AdminKey}, page("same-origin", ""))
	cookie := signedIn.header.Get("Set-Cookie")
	if want := "postrider_session=" + stack.AdminKey + "; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"; signedIn.status != http.StatusOK || cookie != want {
		t.Fatalf("status %d, cookie %q", signedIn.status, cookie)
	}
	cookie, _, _ = strings.Cut(cookie, ";")
	process := "/api/mailings/process"
	for _, c := range []struct {
		method, path string
		header       map[string]string
		want         int
	}{
		{http.MethodGet, path, page("same-origin", cookie), http.StatusOK},
		{http.MethodPost, process, page("same-origin", cookie), http.StatusAccepted},
		{http.MethodPost, process, page("cross-site", cookie), http.StatusForbidden},
		{http.MethodPost, process, map[string]string{"Cookie": cookie, "Origin": s.base}, http.StatusAccepted}, // an older browser
		{http.MethodPost, process, map[string]string{"Cookie": cookie, "Origin": "https://example.org"}, http.StatusForbidden},
		{http.MethodGet, path, page("same-origin", "postrider_session=unknown"), http.StatusUnauthorized},
		{http.MethodDelete, path, page("cross-site", cookie), http.StatusForbidden},
		{http.MethodDelete, path, page("same-origin", cookie), http.StatusNoContent},
	} {
		got := ask(c.method, c.path, nil, c.header)
		removed := strings.HasPrefix(got.header.Get("Set-Cookie"), "postrider_session=; Path=/; Max-Age=0;")
		if got.status != c.want || removed != (c.want == http.StatusUnauthorized || c.want == http.StatusNoContent) {
			t.Errorf("%s %s with %v: status %d, want %d; %v", c.method, c.path, c.header, got.status, c.want, got.header["Set-Cookie"])
		}
	}
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
