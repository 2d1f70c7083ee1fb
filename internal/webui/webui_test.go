package webui_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"

	"postrider/internal/webui"
)

// maxCompressed is the largest size of all scripts and styles together, compressed, in
// bytes.
const maxCompressed = 90 << 10

func get(t *testing.T, name string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+name, http.NoBody)
	if !webui.New().Serve(w, r, name) {
		t.Fatalf("there is no %q", name)
	}
	return w
}

func TestThePageLoadsOnlyFilesThatAreThere(t *testing.T) {
	t.Parallel()
	loads := regexp.MustCompile(`(?:src|href)="([^"]*\.[a-z]+)"`).FindAllStringSubmatch(get(t, "").Body.String(), -1)
	if len(loads) != 3 {
		t.Errorf("it loads %q, want a script, styles and an icon", loads)
	}
	for _, l := range loads {
		if w := get(t, l[1]); w.Code != http.StatusOK || w.Body.Len() == 0 {
			t.Errorf("%s: status %d", l[1], w.Code)
		}
	}
}

func TestOnlyFilesWithAHashAreKeptWithoutAskingAgain(t *testing.T) {
	t.Parallel()
	for _, name := range webui.New().Names() {
		want := "no-cache"
		if strings.HasPrefix(name, "main-") {
			want = "public, max-age=31536000, immutable"
		}
		if got := get(t, name).Header().Get("Cache-Control"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestScriptsAndStylesAreSmall(t *testing.T) {
	t.Parallel()
	var all int
	for _, name := range webui.New().Names() {
		if ext := path.Ext(name); ext != ".js" && ext != ".css" {
			continue
		}
		var small bytes.Buffer
		z, err := gzip.NewWriterLevel(&small, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.Write(get(t, name).Body.Bytes()); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		all += small.Len()
	}
	t.Logf("figure: scripts and styles of the admin pages: %d bytes, compressed", all)
	if all == 0 || all > maxCompressed {
		t.Errorf("%d bytes, want at most %d", all, maxCompressed)
	}
}
