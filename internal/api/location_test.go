package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

func TestALocationIsRightWithAnyPrefix(t *testing.T) {
	t.Parallel()
	s := counting()
	m := sale()
	s.mailing = &m
	s.createClient = func(c mailing.Client) (mailing.Client, error) {
		c.ID = 7
		return c, nil
	}
	v := serve(t, s)
	for _, path := range []string{"/api/clients", "/api/clients/"} {
		w := v.call(http.MethodPost, path, annBody)
		for _, prefix := range []string{"", "/prod", "/_aws/execute-api/abc/local", "https://api.example.com", "https://abc.example.com/prod"} {
			if got, want := where(t, prefix+path, w), prefix+"/api/clients/7"; got != want {
				t.Errorf("from %s%s: %s, want %s", prefix, path, got, want)
			}
		}
	}
	for _, path := range []string{"/api", "/api/"} {
		var index struct {
			Links map[string]string `json:"links"`
		}
		if w := v.call(http.MethodGet, path, ""); json.Unmarshal(w.Body.Bytes(), &index) != nil {
			t.Fatalf("%s: %s", path, w.Body)
		}
		for _, prefix := range []string{"", "/prod", "https://abc.example.com/prod"} {
			got := map[string]string{}
			for name, link := range index.Links {
				got[name] = resolved(t, prefix+path, link)
			}
			want := map[string]string{
				"clients": prefix + "/api/clients", "mailings": prefix + "/api/mailings", "statistics": prefix + "/api/mailings/fullinfo",
				"messages": prefix + "/api/messages", "queues": prefix + "/api/queues", "description": prefix + "/openapi.json",
				"docs": prefix + "/docs/", "health": prefix + "/healthz", "metrics": prefix + "/metrics",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("links from %s%s (-want +got):\n%s", prefix, path, diff)
			}
		}
	}
	w := v.call(http.MethodPost, "/api/mailings/3/test", `{"phone": "79001234567"}`)
	if got := where(t, "/prod/api/mailings/3/test", w); got != "/prod/api/messages/1" {
		t.Errorf("of a test message: %s", got)
	}
}
