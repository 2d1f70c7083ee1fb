package api_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postrider/internal/api"
	"postrider/internal/mailing"
)

const (
	app   = "https://app.example.com"
	admin = "http://localhost:3000"
)

// serveTo returns the API with the allowed origins.
func serveTo(t *testing.T, s *stores, origins ...string) service {
	t.Helper()
	v := service{t: t, tasks: &tasks{}, queues: &queues{}, log: &bytes.Buffer{}}
	v.handler = api.New(s, s, v.tasks, v.queues, keyring{}, api.Config{
		Now: func() time.Time { return now }, Log: slog.New(slog.NewJSONHandler(v.log, nil)), Origins: origins,
	})
	return v
}

// crossing returns the headers of a response that concern origins.
func crossing(h http.Header) map[string]string {
	got := map[string]string{}
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") || name == "Vary" {
			got[name] = strings.Join(h.Values(name), " | ")
		}
	}
	return got
}

const varies = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"

func TestAPreflightIsAnsweredForAnyPathWithoutAKey(t *testing.T) {
	t.Parallel()
	asked := "authorization,content-type,idempotency-key,if-match,x-api-key"
	allowed := func(origin, method string) map[string]string {
		return map[string]string{
			"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Methods": method, "Access-Control-Allow-Headers": asked,
			"Access-Control-Max-Age": "7200", "Vary": varies,
		}
	}
	nothing := map[string]string{"Vary": varies}
	for name, c := range map[string]struct {
		origins                []string
		origin, method, target string
		want                   map[string]string
	}{
		"one of a list":              {[]string{app, admin}, app, "PATCH", "/api/clients/7", allowed(app, "PATCH")},
		"the other one":              {[]string{app, admin}, admin, "DELETE", "/api/mailings/3/", allowed(admin, "DELETE")},
		"any":                        {[]string{"*"}, "https://elsewhere.example", "PUT", "/api/clients/7", allowed("*", "PUT")},
		"a path that is not there":   {[]string{app}, app, "POST", "/nothing/here", allowed(app, "POST")},
		"an unclean path":            {[]string{app}, app, "GET", "//api//x", allowed(app, "GET")},
		"another origin":             {[]string{app}, "https://elsewhere.example", "PUT", "/api/clients/7", nothing},
		"another scheme":             {[]string{app}, "http://app.example.com", "PUT", "/api/clients/7", nothing},
		"another port":               {[]string{app}, app + ":8443", "PUT", "/api/clients/7", nothing},
		"an origin that begins so":   {[]string{app}, app + ".evil.example", "PUT", "/api/clients/7", nothing},
		"the whole list":             {[]string{app, admin}, app + ", " + admin, "PUT", "/api/clients/7", nothing},
		"an opaque origin":           {[]string{app}, "null", "PUT", "/api/clients/7", nothing},
		"a method that nothing here": {[]string{app}, app, "TRACE", "/api/clients/7", nothing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := serveTo(t, &stores{}, c.origins...)
			w := v.call(http.MethodOptions, c.target, "", "Authorization", without, "Origin", c.origin,
				"Access-Control-Request-Method", c.method, "Access-Control-Request-Headers", asked)
			if w.Code != http.StatusNoContent || w.Body.Len() > 0 {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
			if diff := cmp.Diff(c.want, crossing(w.Header())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !strings.Contains(v.log.String(), `"status":204`) || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("it is no answer like the others: %v, %s", w.Header(), v.log)
			}
		})
	}
}

func TestAnAllowedOriginMayReadEveryAnswer(t *testing.T) {
	t.Parallel()
	exposed := "Content-Disposition, Etag, Idempotency-Replayed, Link, Location, Retry-After, Www-Authenticate"
	m := sale()
	s := &stores{
		client: &ann, mailing: &m,
		createClient: func(c mailing.Client) (mailing.Client, error) { return c, nil },
		listClients:  func(mailing.ClientQuery) (mailing.List[mailing.Client], error) { panic("out of range") },
	}
	for _, c := range []struct {
		method, target, body string
		status               int
	}{
		{http.MethodGet, "/api/clients/7", "", http.StatusOK},
		{http.MethodHead, "/api/mailings/3", "", http.StatusOK},
		{http.MethodPost, "/api/clients", annBody, http.StatusCreated},
		{http.MethodPost, "/api/clients", "{", http.StatusBadRequest},
		{http.MethodGet, "/nothing/here", "", http.StatusNotFound},
		{http.MethodGet, "/api/nothing", "", http.StatusNotFound},
		{http.MethodPut, "/api/clients", "{}", http.StatusMethodNotAllowed},
		{http.MethodGet, "/api/clients", "", http.StatusInternalServerError},
	} {
		for origin, want := range map[string]map[string]string{
			app:                         {"Access-Control-Allow-Origin": app, "Access-Control-Expose-Headers": exposed, "Vary": "Origin"},
			"https://elsewhere.example": {"Vary": "Origin"},
		} {
			w := serveTo(t, s, app, admin).call(c.method, c.target, c.body, "Origin", origin)
			if w.Code != c.status {
				t.Errorf("%s %s: status %d, want %d", c.method, c.target, w.Code, c.status)
			}
			if diff := cmp.Diff(want, crossing(w.Header())); diff != "" {
				t.Errorf("%s %s from %s (-want +got):\n%s", c.method, c.target, origin, diff)
			}
		}
		w := serveTo(t, s, "*").call(c.method, c.target, c.body, "Origin", app)
		want := map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": exposed, "Vary": "Origin"}
		if diff := cmp.Diff(want, crossing(w.Header())); diff != "" {
			t.Errorf("%s %s to any (-want +got):\n%s", c.method, c.target, diff)
		}
	}
}

func TestWithoutOriginsAnAnswerHasNoCORSHeaders(t *testing.T) {
	t.Parallel()
	v := serveTo(t, &stores{client: &ann})
	for method, status := range map[string]int{http.MethodGet: http.StatusOK, http.MethodOptions: http.StatusMethodNotAllowed} {
		w := v.call(method, "/api/clients/7", "", "Origin", app, "Access-Control-Request-Method", "GET")
		if w.Code != status {
			t.Errorf("%s: status %d, want %d", method, w.Code, status)
		}
		if diff := cmp.Diff(map[string]string{}, crossing(w.Header())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", method, diff)
		}
	}
}

func TestAnOptionsRequestThatIsNoPreflightIsRefused(t *testing.T) {
	t.Parallel()
	for _, origins := range [][]string{nil, {app}, {"*"}} {
		w := serveTo(t, &stores{}, origins...).call(http.MethodOptions, "/api/clients", "", "Origin", app)
		wantProblem(t, w, http.StatusMethodNotAllowed)
		if got := w.Header().Get("Allow"); got != "GET, HEAD, POST" {
			t.Errorf("%v: Allow %q", origins, got)
		}
	}
}

func TestOriginsAreReadFromTheEnvironment(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]api.Origins{
		"": nil, "  ": nil,
		"*": {"*"},
		app: {app},
		"https://app.example:443,http://app.example:80, https://app.example:80": {"https://app.example", "http://app.example", "https://app.example:80"},
		app + " , " + admin + ",https://[::1]:8443,https://xn--e1afmkfd.example,app://x": {
			app, admin, "https://[::1]:8443", "https://xn--e1afmkfd.example", "app://x",
		},
	} {
		got, err := read(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestAllErrorsOfOriginsAreReportedTogether(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"app.example.com":           {"scheme and a host"},
		"null":                      {"scheme and a host"},
		"https://":                  {"scheme and a host"},
		"https://a b":               {"scheme and a host"},
		app + "/":                   {"without a path"},
		app + "/admin":              {"without a path"},
		app + "?x":                  {"without a path"},
		"https://me@app.example":    {"without a path"},
		"https://*.example.com":     {"exact"},
		"https://App.example.com":   {"lower case"},
		"https://пример.example":    {"xn--"},
		"http://app.example:":       {"port after the colon"},
		"*, " + app:                 {"the only one"},
		app + ",":                   {`""`, "scheme and a host"},
		"one, " + app + "/, *, two": {`"one"`, "without a path", `"two"`, "the only one"},
	} {
		_, err := read(text)
		if err == nil {
			t.Errorf("%q passes", text)
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: no %q in %v", text, part, err)
			}
		}
	}
}

// read parses origins from the environment, as the function does at its start.
func read(text string) (api.Origins, error) {
	var c struct {
		Origins api.Origins `env:"CORS_ORIGINS"`
	}
	err := env.ParseWithOptions(&c, env.Options{Environment: map[string]string{"CORS_ORIGINS": text}})
	return c.Origins, err
}
