package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestTheDocumentationIsAPage(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for target, want := range map[string]string{
			"/docs/": "text/html", "/docs/?x=1": "text/html", "/docs/index.html": "text/html",
			"/docs/start.js": "text/javascript", "/docs/swagger-ui-bundle.js?v=1": "text/javascript",
		} {
			w := v.call(method, target, "")
			if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || !strings.HasPrefix(got, want) {
				t.Errorf("%s %s: status %d, type %q, want %q", method, target, w.Code, got, want)
			}
		}
	}
	page := v.call(http.MethodGet, "/docs/", "")
	if again := v.call(http.MethodGet, "/docs/", "", "If-None-Match", page.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("again: status %d", again.Code)
	}
}

func TestWithoutItsSlashTheDocumentationRedirectsToItself(t *testing.T) {
	t.Parallel()
	w := serve(t, &stores{}).call(http.MethodGet, "/docs", "")
	// The reference leads from /docs to /docs/, and from /prod/docs to /prod/docs/.
	if w.Code != http.StatusFound || w.Header().Get("Location") != "docs/" {
		t.Errorf("status %d, Location %q", w.Code, w.Header().Get("Location"))
	}
}

func TestTheAdminPagesAreAtTheRootWithoutAKey(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for target, want := range map[string]string{"/": "text/html", "/icon.svg": "image/svg+xml", "/licences.txt": "text/plain"} {
			w := v.call(method, target, "", "Authorization", without)
			if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || !strings.HasPrefix(got, want) {
				t.Errorf("%s %s: status %d, type %q, want %q", method, target, w.Code, got, want)
			}
		}
	}
	w := v.call(http.MethodPost, "/", "")
	wantProblem(t, w, http.StatusMethodNotAllowed)
	if got := w.Header().Get("Allow"); got != "GET, HEAD" {
		t.Errorf("Allow %q", got)
	}
	for _, target := range []string{"/index.html", "/main.js", "/dist/icon.svg", "/icon.svg/x"} {
		wantProblem(t, v.call(http.MethodGet, target, ""), http.StatusNotFound)
	}
}

func TestAnUnknownFileOfTheDocumentationIsNotFound(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for _, target := range []string{
		"/docs/none.js", "/docs/start.js/", "/docs/start.js/x", "/docs//", "/docs//start.js", "/docs/./", "/docs/../docs/",
		"/docs/%2F", "/docs/%2E%2E/swaggerui.go", "/docs%2F", "/docs%2Fnone", "/docs/dist/LICENSE", "/docsx", "/docs/README.md",
	} {
		wantProblem(t, v.call(http.MethodGet, target, ""), http.StatusNotFound)
	}
	for _, target := range []string{"/docs", "/docs/", "/docs/start.js"} {
		w := v.call(http.MethodPost, target, "")
		wantProblem(t, w, http.StatusMethodNotAllowed)
		if got := w.Header().Get("Allow"); got != "GET, HEAD" {
			t.Errorf("%s: Allow %q", target, got)
		}
	}
}

func TestTheServerIsRelativeToTheDescription(t *testing.T) {
	t.Parallel()
	var d struct {
		Servers []struct {
			URL string `json:"url"`
		} `json:"servers"`
	}
	w := serve(t, &stores{}).call(http.MethodGet, "/openapi.json", "")
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || len(d.Servers) == 0 {
		t.Fatalf("servers %v, %v", d.Servers, err)
	}
	for _, base := range []string{"http://localhost:8000", "https://example.com/prod", "https://localhost:4566/_aws/execute-api/a1/local"} {
		described, err := url.Parse(base + "/openapi.json")
		if err != nil {
			t.Fatal(err)
		}
		// Some clients resolve the server's URL, append the path to the result, and
		// remove a slash between the two. Others append first, and then resolve.
		server, err := described.Parse(d.Servers[0].URL)
		if err != nil || strings.TrimSuffix(server.String(), "/")+"/api/clients" != base+"/api/clients" {
			t.Errorf("%s: the server is at %v, %v", described, server, err)
		}
		together, err := described.Parse(d.Servers[0].URL + "/api/clients")
		if err != nil || together.String() != base+"/api/clients" {
			t.Errorf("%s: clients are at %v, %v", described, together, err)
		}
	}
}
