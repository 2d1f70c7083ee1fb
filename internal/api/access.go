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
	keyUnknown     = "the key is unknown"
	foreignPage    = "a page of another site may not make this request"
)

// allow registers a route with the role that it needs.
func (s *server) allow(method, path string, needed mailing.Role) {
	s.access[method+" "+path] = needed
}

// needed returns the role that a request needs, by the route that the mux has found
// for it. A route that is not registered with [server.allow] needs an admin. The
// answer to a request without a route is 404 or 405: such a request needs a viewer
// under /api, and no key elsewhere. At the path of sessions it needs no key, because a
// caller without a key already gets answers there.
func (s *server) needed(r *http.Request, route string) mailing.Role {
	if route == "" {
		if r.URL.Path == "/api" || strings.HasPrefix(r.URL.Path, "/api/") && r.URL.Path != sessionPath {
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
//   - 401 if there is no key or it is unknown; a cookie with an unknown key is removed,
//   - 403 if the role of the key is too low, or if a page of another site has made the
//     request, which changes something, with a session,
//   - 503 if the keys cannot be read; the request can be repeated.
//
// It notes the caller for the log line and for idempotency keys.
func (s *server) admit(ctx context.Context, r *http.Request, needed mailing.Role) *Problem {
	secret, bySession := secretOf(r)
	// Signing in and out is guarded, too: a page of another site could sign a person in
	// as somebody else.
	if (bySession || r.URL.Path == sessionPath) && s.crossOrigin.Check(r) != nil {
		return problemOf(http.StatusForbidden, foreignPage)
	}
	if needed == everyone {
		return nil
	}
	if secret == "" {
		return problemOf(http.StatusUnauthorized, keyNeeded)
	}
	caller, refused := s.callerOf(ctx, secret)
	if refused != nil {
		if bySession && refused.Status == http.StatusUnauthorized {
			refused.header.Set("Set-Cookie", requestOf(ctx).signOut().String())
		}
		return refused
	}
	requestOf(ctx).caller = caller
	if !caller.Role.May(needed) {
		return problemOf(http.StatusForbidden, adminNeeded)
	}
	return nil
}

// callerOf returns the holder of a key, or the problem that refuses an unknown key, or
// any key while the keys cannot be read.
func (s *server) callerOf(ctx context.Context, secret string) (mailing.Caller, *Problem) {
	caller, known, err := s.keys.Caller(ctx, secret)
	switch {
	case err != nil:
		s.log.LogAttrs(ctx, slog.LevelError, "keys not read", failure(ctx, err))
		return caller, problemOf(http.StatusServiceUnavailable, keysUnreadable)
	case !known:
		return caller, problemOf(http.StatusUnauthorized, keyUnknown)
	}
	return caller, nil
}

// secretOf returns the key that a request carries, "" if there is none, and whether the
// cookie of a session holds it. If there is an Authorization header, [keyHeader] is not
// looked at; if there is any of the two, the cookie is not.
func secretOf(r *http.Request) (secret string, bySession bool) {
	if authorization := r.Header.Get("Authorization"); authorization != "" {
		scheme, secret, _ := strings.Cut(strings.TrimSpace(authorization), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", false
		}
		return strings.TrimSpace(secret), false
	}
	if secret := strings.TrimSpace(r.Header.Get(keyHeader)); secret != "" {
		return secret, false
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return "", false
	}
	return cookie.Value, true
}
