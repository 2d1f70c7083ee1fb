package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

// everyone is the role of operations that need no key: documentation and health. It
// has to be given explicitly, with [withAccess] or [server.allow]. An operation
// without a role in its metadata needs a key.
const everyone mailing.Role = "everyone"

// accessKey is the key in an operation's metadata under which the needed role
// stands.
const accessKey = "access"

// keyHeader is the header for callers that cannot send Authorization.
const keyHeader = "X-API-Key"

// The details of the problem documents that refuse a request.
const (
	keyNeeded      = "a key is needed: after Bearer in the header Authorization, or in " + keyHeader
	keysUnreadable = "keys cannot be checked at the moment; the request can be repeated"
	adminNeeded    = "this key is a viewer's, which may only read"
)

// withAccess returns op with the role that it needs, where that is not the role
// that follows from its method.
func withAccess(op huma.Operation, needed mailing.Role) huma.Operation {
	op.Metadata = map[string]any{accessKey: needed}
	return op
}

// accessOf returns the role that an operation needs. By default a GET needs a
// viewer, and every other method an admin.
func accessOf(op huma.Operation) mailing.Role {
	if needed, ok := op.Metadata[accessKey].(mailing.Role); ok {
		return needed
	}
	if op.Method == http.MethodGet {
		return mailing.Viewer
	}
	return mailing.Admin
}

// allow registers a route with the role that it needs.
func (s *server) allow(method, path string, needed mailing.Role) {
	s.access[method+" "+path] = needed
}

// needed returns the role that a request needs, by the route that the mux has found
// for it. A route that is not registered with [server.allow] needs an admin.
// Without a route the answer is 404 or 405: under /api it needs a viewer, elsewhere
// no key.
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

// admit returns nil if the request's key has the needed role, and otherwise the
// problem that refuses the request:
//
//   - 401 if there is no key or it is unknown,
//   - 403 if the key's role is too low,
//   - 503 if the keys cannot be read; the request can be repeated.
//
// It notes the caller's name for the log line and for idempotency keys.
func (s *server) admit(ctx context.Context, r *http.Request, needed mailing.Role) *Problem {
	if needed == everyone {
		return nil
	}
	secret := secretOf(r.Header)
	if secret == "" {
		return problemOf(http.StatusUnauthorized, keyNeeded)
	}
	caller, known, err := s.Keys.Caller(ctx, secret)
	switch {
	case err != nil:
		s.Log.LogAttrs(ctx, slog.LevelError, "keys not read", slog.String("request_id", requestID(ctx)), slog.String("error", err.Error()))
		return problemOf(http.StatusServiceUnavailable, keysUnreadable)
	case !known:
		return problemOf(http.StatusUnauthorized, "this key is not known")
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

// turnAway writes the answer to a request that is not admitted, with the header
// that its status asks for: WWW-Authenticate for 401 (RFC 9110, 15.5.2),
// Retry-After in seconds for 503.
func turnAway(w http.ResponseWriter, p *Problem) {
	switch p.Status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="postrider"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	writeProblem(w, p)
}
