package api_test

import (
	"net/http"
	"testing"

	"postrider/internal/mailing"
)

func TestALocationIsRightBehindAnyPrefix(t *testing.T) {
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
	w := v.call(http.MethodPost, "/api/mailings/3/test", `{"phone": "79001234567"}`)
	if got := where(t, "/prod/api/mailings/3/test", w); got != "/prod/api/messages/1" {
		t.Errorf("of a test message: %s", got)
	}
}
