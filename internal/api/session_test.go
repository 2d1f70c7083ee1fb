package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	signOut   = "postrider_session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"
	asViewer  = "postrider_session=" + viewerKey
	asAdmin   = "postrider_session=" + adminKey
	asNobody  = "postrider_session=revoked-key"
	noHeader  = "Authorization"
	dashboard = `{"name": "dashboard", "role": "viewer"}`
)

func TestAKeySignsABrowserIn(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	w := v.call(http.MethodPost, "/api/session", `{"key": "`+viewerKey+`"}`, noHeader, without)
	wantJSON(t, w, http.StatusOK, dashboard)
	want := []string{asViewer + "; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Strict"}
	if diff := cmp.Diff(want, w.Header()["Set-Cookie"]); diff != "" {
		t.Errorf("cookie (-want +got):\n%s", diff)
	}
	name, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	wantJSON(t, v.call(http.MethodGet, "/api/clients/7", "", noHeader, without, "Cookie", name), http.StatusOK, annJSON)
	wantProblem(t, v.call(http.MethodDelete, "/api/clients/7", "", noHeader, without, "Cookie", name), http.StatusForbidden)
}

func TestAnUnknownKeySignsNobodyIn(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	w := v.call(http.MethodPost, "/api/session", `{"key": "unknown"}`, noHeader, without)
	wantJSON(t, w, http.StatusUnauthorized, `{"title": "Unauthorized", "status": 401, "detail": "the key is unknown"}`)
	if w.Header().Get("WWW-Authenticate") == "" || w.Header()["Set-Cookie"] != nil {
		t.Errorf("header %v", w.Header())
	}
	w = v.call(http.MethodPost, "/api/session", `{"key": "broken"}`, noHeader, without)
	wantProblem(t, w, http.StatusServiceUnavailable)
	if w.Header().Get("Retry-After") != "1" || w.Header()["Set-Cookie"] != nil {
		t.Errorf("header %v", w.Header())
	}
	for _, key := range []string{"", " ", "a b", "a;b", `a\\b`, `a\"b`, "a,b", "ключ", "a\\nb", strings.Repeat("x", 257)} {
		wantProblem(t, v.call(http.MethodPost, "/api/session", `{"key": "`+key+`"}`), http.StatusUnprocessableEntity, "body.key")
	}
	// A key of this form must be read back from the cookie as it was sent.
	odd := "!#$%&'()*+-./:<=>?@[]^_`{|}~"
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "postrider_session="+odd)
	if cookie, err := r.Cookie("postrider_session"); err != nil || cookie.Value != odd {
		t.Errorf("cookie %v, %v", cookie, err)
	}
	wantProblem(t, v.call(http.MethodPost, "/api/session", `{"key": "`+odd+`"}`), http.StatusUnauthorized)
}

func TestTheCookieMayGoOverPlainHTTPOnlyToThisMachine(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for _, c := range []struct {
		host, proto string
		plain       bool
	}{
		{"localhost:8000", "http", true},
		{"localhost", "", true},
		{"LOCALHOST.:8000", "HTTP", true},
		{"postrider.localhost:8000", "http", true},
		{"127.0.0.1:8000", "http", true},
		{"127.8.9.1", "http", true},
		{"[::1]:8000", "http", true},
		{"[::1]", "", true},
		{"localhost:8000", "https", false},
		{"localhost:8000", "HTTPS", false},
		{"api.example.org", "http", false},
		{"api.example.org", "", false},
		{"localhost.example.org", "http", false},
		{"notlocalhost", "http", false},
		{"10.0.0.1:8000", "http", false},
		{"127.0.0.1.example.org", "http", false},
		{"", "http", false},
	} {
		for method, body := range map[string]string{http.MethodPost: `{"key": "` + adminKey + `"}`, http.MethodDelete: ""} {
			r := httptest.NewRequestWithContext(t.Context(), method, "/api/session", strings.NewReader(body))
			r.Host = c.host
			if c.proto != "" {
				r.Header.Set("X-Forwarded-Proto", c.proto)
			}
			w := httptest.NewRecorder()
			v.handler.ServeHTTP(w, r)
			cookie := w.Header().Get("Set-Cookie")
			if w.Code >= 300 || strings.Contains(cookie, "; Secure") == c.plain || !strings.Contains(cookie, "; HttpOnly") {
				t.Errorf("%s %s of %q: status %d, cookie %q", c.proto, method, c.host, w.Code, cookie)
			}
		}
	}
}

func TestASessionIsTheHolderOfItsKey(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for _, headers := range [][]string{
		{noHeader, "Bearer " + viewerKey},
		{noHeader, without, "X-API-Key", viewerKey},
		{noHeader, without, "Cookie", asViewer},
		{noHeader, without, "Cookie", "theme=dark; " + asViewer + "; other=1"},
		{noHeader, "Bearer " + viewerKey, "Cookie", asAdmin},
		{noHeader, "Bearer " + viewerKey, "Cookie", asNobody},
		{noHeader, without, "X-API-Key", viewerKey, "Cookie", asAdmin},
	} {
		wantJSON(t, v.call(http.MethodGet, "/api/session", "", headers...), http.StatusOK, dashboard)
	}
	wantProblem(t, v.call(http.MethodGet, "/api/session", "", noHeader, without), http.StatusUnauthorized)
}

func TestAnotherMethodThanThoseOfSessionsNeedsNoKey(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for _, key := range []string{without, "Bearer unknown", "Bearer " + adminKey} {
		w := v.call(http.MethodPut, "/api/session/", "{}", noHeader, key)
		wantProblem(t, w, http.StatusMethodNotAllowed)
		if got := w.Header().Get("Allow"); got != "DELETE, GET, HEAD, POST" {
			t.Errorf("Allow %q", got)
		}
	}
	wantProblem(t, v.call(http.MethodPost, "/api/session/1", "{}", noHeader, without), http.StatusUnauthorized)
}

func TestSigningOutRemovesTheCookie(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for _, headers := range [][]string{
		{noHeader, without},
		{noHeader, without, "Cookie", asViewer},
		{noHeader, without, "Cookie", asNobody},
		{noHeader, without, "Cookie", "postrider_session=broken"},
		{noHeader, "Bearer " + adminKey},
	} {
		w := v.call(http.MethodDelete, "/api/session", "", headers...)
		if w.Code != http.StatusNoContent || w.Body.Len() > 0 || w.Header().Get("Set-Cookie") != signOut {
			t.Errorf("%v: status %d, %v", headers, w.Code, w.Header()["Set-Cookie"])
		}
	}
}

func TestTheCookieOfARevokedKeyIsRefusedAndRemoved(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	for _, c := range []struct {
		headers []string
		status  int
		cookie  string
	}{
		{[]string{noHeader, without, "Cookie", asNobody}, http.StatusUnauthorized, signOut},
		{[]string{noHeader, "Bearer revoked-key", "Cookie", asAdmin}, http.StatusUnauthorized, ""},
		{[]string{noHeader, without}, http.StatusUnauthorized, ""},
		// The key may be valid.
		{[]string{noHeader, without, "Cookie", "postrider_session=broken"}, http.StatusServiceUnavailable, ""},
	} {
		for _, target := range []string{"/api/clients/7", "/api/session", "/api/nothing"} {
			w := v.call(http.MethodGet, target, "", c.headers...)
			wantProblem(t, w, c.status)
			if got := w.Header().Get("Set-Cookie"); got != c.cookie {
				t.Errorf("%s with %v: cookie %q", target, c.headers, got)
			}
		}
	}
}

// foreign has the headers that a browser adds to a request of a page of another site.
var foreign = [][]string{
	{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example.org"},
	{"Sec-Fetch-Site", "same-site", "Origin", "https://other.example.com"},
	{"Origin", "https://evil.example.org"}, // an older browser
	{"Origin", "null"},
}

func TestAPageOfAnotherSiteChangesNothingWithASession(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{}) // a request that is admitted ends as a 500
	var refused, admitted int
	for _, r := range routes(t, v) {
		changes := r.method != http.MethodGet
		session := strings.HasSuffix(r.id, "-session")
		for _, headers := range foreign {
			w := v.call(r.method, r.path, "", append([]string{noHeader, without, "Cookie", asAdmin}, headers...)...)
			if !changes {
				if w.Code == http.StatusForbidden {
					t.Errorf("%s, which reads, is refused for %v", r.id, headers)
				}
				continue
			}
			wantProblem(t, w, http.StatusForbidden)
			if w.Header()["Set-Cookie"] != nil {
				t.Errorf("%s: it sets a cookie", r.id)
			}
			refused++
			// A page that has a key itself, and sends it in a header, may do everything
			// but sign in and out.
			if w := v.call(r.method, r.path, "", headers...); (w.Code == http.StatusForbidden) != session {
				t.Errorf("%s with a key in a header: status %d", r.id, w.Code)
			}
		}
		for _, headers := range [][]string{{"Sec-Fetch-Site", "same-origin", "Origin", "http://example.com"}, {"Sec-Fetch-Site", "none"}, {"Origin", "http://example.com"}, {}} {
			w := v.call(r.method, r.path, "", append([]string{noHeader, without, "Cookie", asAdmin}, headers...)...)
			if w.Code == http.StatusForbidden || w.Code == http.StatusUnauthorized {
				t.Errorf("%s: our own page gets %d for %v", r.id, w.Code, headers)
			}
			admitted++
		}
	}
	t.Logf("figure: with a session: %d changes by pages of other sites, each 403; %d requests of our own pages admitted", refused, admitted)
}

func TestAllowedOriginsHaveNoPartInSessions(t *testing.T) {
	t.Parallel()
	v := serveTo(t, &stores{client: &ann}, app)
	from := []string{"Origin", app, "Sec-Fetch-Site", "cross-site"}
	for _, c := range []struct {
		method, target, body, cookie string
		status                       int
	}{
		{http.MethodPost, "/api/session", `{"key": "` + adminKey + `"}`, without, http.StatusForbidden},
		{http.MethodPost, "/api/session", `{"key": "` + adminKey + `"}`, asAdmin, http.StatusForbidden},
		{http.MethodDelete, "/api/session", "", without, http.StatusForbidden},
		{http.MethodDelete, "/api/session", "", asAdmin, http.StatusForbidden},
		{http.MethodDelete, "/api/clients/7", "", asAdmin, http.StatusForbidden},
		{http.MethodGet, "/api/clients/7", "", asAdmin, http.StatusOK},
		{http.MethodOptions, "/api/session", "", asAdmin, http.StatusNoContent},
	} {
		headers := append([]string{noHeader, without, "Cookie", c.cookie}, from...)
		if c.method == http.MethodOptions {
			headers = append(headers, "Access-Control-Request-Method", "POST")
		}
		w := v.call(c.method, c.target, c.body, headers...)
		// Without this header a browser sends no cookie to another site, and shows a
		// page no answer to a request with one.
		if w.Code != c.status || w.Header()["Access-Control-Allow-Credentials"] != nil || w.Header()["Set-Cookie"] != nil {
			t.Errorf("%s %s: status %d, want %d, %v", c.method, c.target, w.Code, c.status, w.Header())
		}
	}
}

func TestNoLogLineHasTheKeyOfASession(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	v.call(http.MethodPost, "/api/session", `{"key": "`+viewerKey+`"}`, noHeader, without)
	v.call(http.MethodPost, "/api/session", `{"key": "`+viewerKey+`", "odd": "`+viewerKey+`"}`, noHeader, without)
	v.call(http.MethodPost, "/api/session", `{"key": "revoked-key"}`, noHeader, without)
	v.call(http.MethodPost, "/api/session", `{"key": "revoked-key`, noHeader, without)
	for _, cookie := range []string{asViewer, asNobody, "postrider_session=broken"} {
		v.call(http.MethodGet, "/api/clients/7", "", noHeader, without, "Cookie", cookie)
		v.call(http.MethodPost, "/api/clients", "{}", noHeader, without, "Cookie", cookie)
		v.call(http.MethodDelete, "/api/session", "", noHeader, without, "Cookie", cookie)
	}
	log := v.log.String()
	if strings.Count(log, `"caller":"dashboard"`) != 3 { // signed in, read, was refused a change
		t.Errorf("log %s", log)
	}
	for _, secret := range []string{viewerKey, "revoked-key", "postrider_session"} {
		if strings.Contains(log, secret) {
			t.Errorf("it holds %s: %s", secret, log)
		}
	}
}
