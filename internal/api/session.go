package api

import (
	"context"
	_ "embed"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"postrider/internal/mailing"
)

const (
	sessionPath = "/api/session"
	// sessionCookie is the name of the cookie whose value is a key.
	sessionCookie = "postrider_session"
	// sessionTime is how long a browser keeps the cookie. A key that is revoked earlier
	// ends the session earlier.
	sessionTime = 12 * time.Hour
)

// exampleKey is a key of the examples. No deployment knows it.
const exampleKey = "K7QFXNP2MZ4TBRA6CVHLWE3DGY"

// SessionBody is the key with which a browser signs in.
type SessionBody struct {
	// The characters are those that a cookie can have (RFC 6265, 4.1.1). A key that
	// `make key` makes has letters and digits only.
	Key string `json:"key" minLength:"1" maxLength:"256" pattern:"^[\\x21\\x23-\\x2B\\x2D-\\x3A\\x3C-\\x5B\\x5D-\\x7E]*$" patternDescription:"printable ASCII without blanks, quotes, commas, semicolons and backslashes" doc:"A key of the API."`
}

// Session is the holder of a key.
type Session struct {
	Name string `json:"name" example:"billing" doc:"The name of the key."`
	Role string `json:"role" enum:"admin,viewer" doc:"What the key allows."`
}

// sessionJSON returns a caller as answers have it.
func sessionJSON(c mailing.Caller) Session { return Session{c.Name, string(c.Role)} }

// aboutSessions is about signing in.
//
//go:embed texts/create-session.md
var aboutSessions string

// routeSession registers the operations by which a browser signs in and out. Signing in
// and out need no key, but no page of another site may do it: it could sign a person in
// as somebody else.
func (s *server) routeSession() {
	register(s, operation{
		id: "create-session", method: http.MethodPost, path: sessionPath, role: everyone, tag: serviceTag,
		summary: "Sign a browser in", about: aboutSessions,
		request: SessionBody{exampleKey},
		success: "The holder of the key. The cookie is set.",
		answer:  Session{"billing", string(mailing.Admin)},
		errors: map[int]errorText{
			http.StatusUnauthorized:       {when: "The key is unknown. No cookie is set.", detail: keyUnknown},
			http.StatusForbidden:          foreignPageText("A page of another site has made the request."),
			http.StatusServiceUnavailable: keysUnreadableText(),
		},
	}, s.createSession)
	register(s, operation{
		id: "get-session", method: http.MethodGet, path: sessionPath, tag: serviceTag,
		summary: "Read whose key a request has",
		about: "Returns the name and the role of the key that the request has, in a header or in the cookie of " +
			"a session.",
		success: "The holder of the key.", answer: Session{"billing", string(mailing.Admin)},
	}, func(ctx context.Context, _ *struct{}) (*struct{ Body Session }, error) {
		return &struct{ Body Session }{sessionJSON(requestOf(ctx).caller)}, nil
	})
	register(s, operation{
		id: "delete-session", method: http.MethodDelete, path: sessionPath, role: everyone, tag: serviceTag,
		summary: "Sign a browser out",
		about: "Removes the cookie of the session. Without a cookie, or with one whose key is not valid any " +
			"more, the status is 204, too. The key itself stays valid.",
		success: "The browser has no session.",
		errors:  map[int]errorText{http.StatusForbidden: foreignPageText("A page of another site has made the request.")},
	}, func(ctx context.Context, _ *struct{}) (*struct{ SessionCookie }, error) {
		return &struct{ SessionCookie }{SessionCookie{requestOf(ctx).signOut().String()}}, nil
	})
}

// SessionCookie is the header that sets or removes the cookie.
type SessionCookie struct {
	SetCookie string `header:"Set-Cookie" doc:"The cookie of the session, or its removal."`
}

// signedIn is the answer to signing in.
type signedIn struct {
	SessionCookie

	Body Session
}

// createSession checks a key, and makes it the cookie of the caller.
func (s *server) createSession(ctx context.Context, in *struct{ Body SessionBody }) (*signedIn, error) {
	caller, refused := s.callerOf(ctx, in.Body.Key)
	if refused != nil {
		return nil, refused
	}
	r := requestOf(ctx)
	r.caller = caller
	return &signedIn{SessionCookie{r.cookie(in.Body.Key, sessionTime).String()}, sessionJSON(caller)}, nil
}

// cookie returns the cookie of a session, to be kept for a time.
//
// A script cannot read it. A browser sends it only with requests of pages of the same
// site, and only over HTTPS. Some browsers keep no such cookie of http://localhost, so
// there it may go over HTTP.
func (r *request) cookie(key string, keep time.Duration) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // G124: Secure is left out only for http://localhost
		Name: sessionCookie, Value: key, Path: "/", MaxAge: int(keep / time.Second),
		HttpOnly: true, Secure: !r.plainLocal, SameSite: http.SameSiteStrictMode,
	}
}

// signOut returns the cookie that removes the cookie of a session.
func (r *request) signOut() *http.Cookie {
	const remove = -time.Second // net/http writes Max-Age=0
	return r.cookie("", remove)
}

// isPlainLocal reports whether a request was made by plain HTTP to this machine. API
// Gateway sets X-Forwarded-Proto to https; without a gateway the connection shows it.
func isPlainLocal(r *http.Request) bool {
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		return false
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// exampleCookie returns the cookie of the examples of a method: signing in sets it, and
// signing out removes it.
func exampleCookie(method string) string {
	var r request
	if method == http.MethodDelete {
		return r.signOut().String()
	}
	return r.cookie(exampleKey, sessionTime).String()
}
