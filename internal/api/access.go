package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

// everyone is the role of what needs no key: documentation and health. It has
// to be said of an operation; what says nothing needs a key.
const everyone mailing.Role = "everyone"

// accessKey is where an operation's metadata say which role it needs.
const accessKey = "access"

// keyHeader is the header of those who cannot send Authorization.
const keyHeader = "X-API-Key"

// Why a request is turned away.
const (
	keyNeeded      = "a key is needed: after Bearer in the header Authorization, or in " + keyHeader
	keysUnreadable = "keys cannot be checked at the moment; the request can be repeated"
	adminNeeded    = "this key is a viewer's, which may only read"
)

// withAccess is an operation that needs another role than its method tells.
func withAccess(op huma.Operation, needed mailing.Role) huma.Operation {
	op.Metadata = map[string]any{accessKey: needed}
	return op
}

// accessOf is the role that an operation needs: whoever may look may GET, and
// everything else is an admin's.
func accessOf(op huma.Operation) mailing.Role {
	if needed, ok := op.Metadata[accessKey].(mailing.Role); ok {
		return needed
	}
	if op.Method == http.MethodGet {
		return mailing.Viewer
	}
	return mailing.Admin
}

// allow makes a route known, and who may use it.
func (s *server) allow(method, path string, needed mailing.Role) {
	s.access[method+" "+path] = needed
}

// needed is the role that a request needs, by the route that the mux has found
// for it. A route that nobody has made known is an admin's. Where there is no
// route, whoever has a key is told so, and outside of /api everybody.
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

// admit tells why a request may not have what needs a role; nil if it may.
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

// secretOf is the key that a request shows. Authorization goes first: with it,
// the other header is not looked at.
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

// turnAway answers a request that is not admitted.
func turnAway(w http.ResponseWriter, p *Problem) {
	switch p.Status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="postrider"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	writeProblem(w, p)
}
