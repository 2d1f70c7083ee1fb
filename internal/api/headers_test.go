package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{
		client:      &ann,
		listClients: func(mailing.ClientQuery) (mailing.List[mailing.Client], error) { panic("out of range") },
	})
	for _, c := range []struct {
		method, target, body string
		status               int
	}{
		{http.MethodGet, "/api/", "", http.StatusOK},
		{http.MethodGet, "/api/clients/7", "", http.StatusOK},
		{http.MethodHead, "/api/clients/7", "", http.StatusOK},
		{http.MethodGet, "/healthz", "", http.StatusOK},
		{http.MethodGet, "/openapi.json", "", http.StatusOK},
		{http.MethodPost, "/api/clients", "{", http.StatusBadRequest},
		{http.MethodGet, "/api/clients/8", "", http.StatusNotFound},
		{http.MethodGet, "/nothing/here", "", http.StatusNotFound},
		{http.MethodGet, "//api", "", http.StatusNotFound},
		{http.MethodPut, "/api/clients", "{}", http.StatusMethodNotAllowed},
		{http.MethodPost, "/api/clients", "{}", http.StatusUnprocessableEntity},
		{http.MethodGet, "/api/clients", "", http.StatusInternalServerError},
	} {
		w := v.call(c.method, c.target, c.body)
		if w.Code != c.status {
			t.Errorf("%s %s: status %d, want %d", c.method, c.target, w.Code, c.status)
		}
		want := map[string][]string{
			"Cache-Control":                {"no-store"},
			"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'"},
			"Cross-Origin-Resource-Policy": {"same-origin"},
			"Referrer-Policy":              {"no-referrer"},
			"Strict-Transport-Security":    {"max-age=63072000; includeSubDomains"},
			"X-Content-Type-Options":       {"nosniff"},
			"X-Frame-Options":              {"DENY"},
		}
		got := map[string][]string{}
		for name := range want {
			got[name] = w.Header()[name]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.method, c.target, diff)
		}
	}
}

// broken is a response that accepts a status and headers, and panics when the body
// is written.
type broken struct{ *httptest.ResponseRecorder }

func (broken) Write([]byte) (int, error) { panic("out of range") }

func TestAPanicAfterAPartOfAnAnswerAbortsTheConnection(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // the panic has the very value, not wrapped
			t.Errorf("panic %v", p)
		}
		if log := v.log.String(); !strings.Contains(log, "out of range") || !strings.Contains(log, `"status":500`) {
			t.Errorf("not logged: %s", log)
		}
	}()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/clients/7", nil)
	r.Header.Set("Authorization", "Bearer "+adminKey)
	v.handler.ServeHTTP(broken{httptest.NewRecorder()}, r)
}
