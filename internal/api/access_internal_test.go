package api

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"postrider/internal/mailing"
)

func TestAnUnregisteredRouteNeedsAnAdmin(t *testing.T) {
	t.Parallel()
	s := &server{access: map[string]mailing.Role{}}
	s.allow(http.MethodGet, "/known", everyone)
	for route, want := range map[string]mailing.Role{"GET /known": everyone, "POST /known": mailing.Admin, "GET /forgotten": mailing.Admin} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if got := s.needed(r, route); got != want {
			t.Errorf("%s needs %q, want %q", route, got, want)
		}
	}
}
