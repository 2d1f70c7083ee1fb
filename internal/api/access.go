package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"postrider/internal/mailing"
)

// everyone is the role of operations that need no key: documentation and health. It
// has to be given explicitly: an operation without a role needs a key.
const everyone mailing.Role = "everyone"

// keyHeader is the header for callers that cannot send Authorization.
const keyHeader = "X-API-Key"

// The details of the problem documents that refuse a request.
const (
	keyNeeded      = "the request needs a key, as Authorization: Bearer <key> or as " + keyHeader + ": <key>"
	keysUnreadable = "keys cannot be checked at the moment; repeat the request later"
	adminNeeded    = "this request needs the key of an admin; the key of a viewer may only read"
)

// allow registers a route with the role that it needs.
func (s *server) allow(method, path string, needed mailing.Role) {
	s.access[method+" "+path] = needed
}

// needed returns the role that a request needs, by the route that the mux has found
// for it. A route that is not registered with [server.allow] needs an admin. The
// answer to a request without a route is 404 or 405: such a request needs a viewer
// under /api, and no key elsewhere.
func (s *server) needed(r *http.Request, route string) mailing.Role {
	if route == "" {
		if r.URL.Path == "/api" || strings.HasPrefix(r.URL.Path, "/api/") {
			return mailing.Viewer
		}
		return everyone
	}
	if needed, ok := s.access[route]; ok {
		return needed
	}
	return mailing.Admin
}

// admit returns nil if the key of the request has the needed role, and otherwise the
// problem that refuses the request:
//
//   - 401 if there is no key or it is unknown,
//   - 403 if the role of the key is too low,
//   - 503 if the keys cannot be read; the request can be repeated.
//
// It notes the name of the caller for the log line and for idempotency keys.
func (s *server) admit(ctx context.Context, r *http.Request, needed mailing.Role) *Problem {
	if needed == everyone {
		return nil
	}
	secret := secretOf(r.Header)
	if secret == "" {
		return problemOf(http.StatusUnauthorized, keyNeeded)
	}
	caller, known, err := s.keys.Caller(ctx, secret)
	switch {
	case err != nil:
		s.log.LogAttrs(ctx, slog.LevelError, "keys not read", failure(ctx, err))
		return problemOf(http.StatusServiceUnavailable, keysUnreadable)
	case !known:
		return problemOf(http.StatusUnauthorized, "the key is unknown")
	}
	requestOf(ctx).caller = caller.Name
	if !caller.Role.May(needed) {
		return problemOf(http.StatusForbidden, adminNeeded)
	}
	return nil
}

// secretOf returns the key that a request carries, "" if there is none. If there is
// an Authorization header, [keyHeader] is not looked at.
func secretOf(h http.Header) string {
	authorization := h.Get("Authorization")
	if authorization == "" {
		return strings.TrimSpace(h.Get(keyHeader))
	}
	scheme, secret, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(secret)
}

// refuse writes the answer to a request that is not admitted, with the header
// that its status asks for: WWW-Authenticate for 401 (RFC 9110, 15.5.2),
// Retry-After in seconds for 503.
func refuse(w http.ResponseWriter, p *Problem) {
	switch p.Status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="postrider"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	writeProblem(w, p)
}
