package swaggerui_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"postrider/internal/swaggerui"
)

// get requests a file. ifNoneMatch is the header If-None-Match, left out if empty.
func get(t *testing.T, target, ifNoneMatch string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+target, http.NoBody)
	if ifNoneMatch != "" {
		r.Header.Set("If-None-Match", ifNoneMatch)
	}
	w := httptest.NewRecorder()
	if !swaggerui.New().Serve(w, r, strings.TrimPrefix(r.URL.Path, "/")) {
		t.Fatalf("there is no %q", target)
	}
	return w
}

func TestWhatThePageLoadsIsThere(t *testing.T) {
	t.Parallel()
	loads := regexp.MustCompile(`(?:src|href)="([^".][^"]*)"`).FindAllStringSubmatch(get(t, "", "").Body.String(), -1)
	if len(loads) != 5 {
		t.Errorf("it loads %q", loads)
	}
	for _, l := range loads {
		if w := get(t, l[1], ""); w.Code != http.StatusOK || w.Body.Len() == 0 {
			t.Errorf("%s: status %d", l[1], w.Code)
		}
	}
}

func TestEveryFileIsTextOfItsType(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"":                                 "text/html; charset=utf-8",
		"index.html":                       "text/html; charset=utf-8",
		"start.js":                         "text/javascript; charset=utf-8",
		"page.css":                         "text/css; charset=utf-8",
		"favicon.svg":                      "image/svg+xml; charset=utf-8",
		"swagger-ui-bundle.js":             "text/javascript; charset=utf-8",
		"swagger-ui.css":                   "text/css; charset=utf-8",
		"swagger-ui-bundle.js.LICENSE.txt": "text/plain; charset=utf-8",
		"LICENSE":                          "text/plain; charset=utf-8",
		"NOTICE":                           "text/plain; charset=utf-8",
	} {
		w := get(t, name, "")
		if got := w.Header().Get("Content-Type"); got != want {
			t.Errorf("%q: type %q, want %q", name, got, want)
		}
		if !utf8.Valid(w.Body.Bytes()) {
			t.Errorf("%q is not UTF-8: API Gateway would spoil it", name)
		}
	}
}

func TestOnlyItsOwnFilesAreServed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"README.md", "page", "dist", "dist/LICENSE", "../swaggerui.go", "swagger-ui-bundle.js.map", "/"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		if swaggerui.New().Serve(w, r, name) || w.Body.Len() > 0 || len(w.Header()) > 0 {
			t.Errorf("%q is served", name)
		}
	}
}

func TestAFileThatACacheHasIsNotSentAgain(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "start.js", "swagger-ui-bundle.js?v=" + swaggerui.Version} {
		first := get(t, name, "")
		tag := first.Header().Get("ETag")
		for _, sent := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
			w := get(t, name, sent)
			if w.Code != http.StatusNotModified || w.Body.Len() > 0 || w.Header().Get("ETag") != tag ||
				w.Header().Get("Cache-Control") != first.Header().Get("Cache-Control") {
				t.Errorf("%q, If-None-Match %s: status %d, %d bytes, %v", name, sent, w.Code, w.Body.Len(), w.Header())
			}
		}
		if w := get(t, name, `"other"`); w.Code != http.StatusOK || w.Body.Len() != first.Body.Len() {
			t.Errorf("%q: status %d, %d bytes to who has another", name, w.Code, w.Body.Len())
		}
	}
}

func TestOnlyAVersionIsKeptForGood(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"swagger-ui-bundle.js?v=" + swaggerui.Version: "public, max-age=31536000, immutable",
		"swagger-ui.css?v=" + swaggerui.Version:       "public, max-age=31536000, immutable",
		"swagger-ui.css?v=0.0.0":                      "no-cache",
		"swagger-ui.css":                              "no-cache",
		"start.js?v=" + swaggerui.Version:             "no-cache",
		"":                                            "no-cache",
	} {
		if got := get(t, name, "").Header().Get("Cache-Control"); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestTheVersionIsThatOfTheFiles(t *testing.T) {
	t.Parallel()
	if !strings.Contains(get(t, "swagger-ui-bundle.js", "").Body.String(), `"`+swaggerui.Version+`"`) {
		t.Errorf("the script is not of version %s", swaggerui.Version)
	}
	if n := strings.Count(get(t, "", "").Body.String(), "?v="+swaggerui.Version+`"`); n != 2 {
		t.Errorf("the page asks for %d files of version %s, want the script and its styles", n, swaggerui.Version)
	}
	readme, err := os.ReadFile("dist/README.md")
	if err != nil || !strings.Contains(string(readme), "Swagger UI "+swaggerui.Version) {
		t.Errorf("dist/README.md names another version than %s: %v", swaggerui.Version, err)
	}
}

func TestThePageMayLoadNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	h := get(t, "", "").Header()
	for _, directive := range strings.Split(h.Get("Content-Security-Policy"), "; ") {
		name, sources, _ := strings.Cut(directive, " ")
		for source := range strings.FieldsSeq(sources) {
			switch {
			case source == "'none'" || source == "'self'":
			case name == "img-src" && source == "data:":
			default:
				t.Errorf("%s allows %s", name, source)
			}
		}
	}
	if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'; ") ||
		h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers: %v", h)
	}
}
