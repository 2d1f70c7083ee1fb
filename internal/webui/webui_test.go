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

// maxCompressed is the largest size of what a browser loads for the first page, compressed,
// in bytes: the script, the styles and the texts of one language. Charts are a file of
// their own.
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
		if ext := path.Ext(name); ext == ".js" || ext == ".css" {
			want = "public, max-age=31536000, immutable"
		}
		if got := get(t, name).Header().Get("Cache-Control"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestTheFirstPageIsSmall(t *testing.T) {
	t.Parallel()
	var first, texts, all int
	for _, name := range webui.New().Names() {
		ext := path.Ext(name)
		if ext != ".js" && ext != ".css" {
			continue
		}
		size := compressed(t, get(t, name).Body.Bytes())
		all += size
		switch kind, _, _ := strings.Cut(name, "-"); kind {
		case "main":
			first += size
		case "en", "ru":
			texts = max(texts, size)
		}
	}
	first += texts
	t.Logf("figure: admin pages, compressed: %d bytes for the first page, %d in all", first, all)
	if texts == 0 || first > maxCompressed {
		t.Errorf("the first page loads %d bytes, %d of them texts; want at most %d", first, texts, maxCompressed)
	}
}

// compressed returns the size of a text as API Gateway compresses it.
func compressed(t *testing.T, text []byte) int {
	t.Helper()
	var small bytes.Buffer
	z, err := gzip.NewWriterLevel(&small, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(text)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return small.Len()
}
