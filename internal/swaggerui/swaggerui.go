// Package swaggerui is the page that shows the API's description and tries it
// out: Swagger UI, which dist/ has as its authors publish it, and the little
// around it in page/. All of it is in the program; a browser that shows the page
// asks nobody else.
//
// Every file is text in UTF-8, since API Gateway passes only text on.
package swaggerui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
	"sync"
)

// Version is that of Swagger UI in dist/.
const Version = "5.35.0"

// policy is the Content-Security-Policy: nothing but what lies beside the page,
// and Swagger UI's icons, which are data URIs. Its styles need no exception: it
// sets them one by one, by script.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// The licences go where the code goes.
//
//go:embed dist/swagger-ui-bundle.js dist/swagger-ui-bundle.js.LICENSE.txt dist/swagger-ui.css dist/LICENSE dist/NOTICE
//go:embed page
var files embed.FS

// Pages are the page and all that it loads.
type Pages struct {
	files map[string]file
}

type file struct {
	contentType string
	// vendored: a version of it never changes.
	vendored bool
	// read reads and hashes it once, with the first request: the script is large.
	read func() content
}

type content struct {
	text []byte
	etag string
}

// New returns the pages.
func New() *Pages {
	p := &Pages{files: map[string]file{}}
	for _, folder := range []string{"dist", "page"} {
		entries, err := files.ReadDir(folder)
		if err != nil {
			panic(err) // it is in the program
		}
		for _, e := range entries {
			p.files[e.Name()] = file{typeOf(e.Name()), folder == "dist", sync.OnceValue(reading(folder + "/" + e.Name()))}
		}
	}
	return p
}

// typeOf is a Content-Type that, unlike package mime's, is the same on every
// machine.
func typeOf(name string) string {
	kind := map[string]string{".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}[path.Ext(name)]
	if kind == "" {
		kind = "text/plain" // the licences
	}
	return kind + "; charset=utf-8"
}

func reading(name string) func() content {
	return func() content {
		text, err := files.ReadFile(name)
		if err != nil {
			panic(err) // it is in the program
		}
		sum := sha256.Sum256(text)
		return content{text, `"` + hex.EncodeToString(sum[:16]) + `"`}
	}
}

// Serve answers a GET or HEAD of a file, of the page if name is empty. It
// returns false, and has written nothing, if there is no such file.
func (p *Pages) Serve(w http.ResponseWriter, r *http.Request, name string) bool {
	if name == "" {
		name = "index.html"
	}
	f, ok := p.files[name]
	if !ok {
		return false
	}
	c, h := f.read(), w.Header()
	h.Set("ETag", c.etag)
	h.Set("Cache-Control", "no-cache") // kept, and asked for again
	if f.vendored && r.URL.Query().Get("v") == Version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if matches(r.Header.Values("If-None-Match"), c.etag) {
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	h.Set("Content-Type", f.contentType)
	// The status is out: there is nobody left to tell.
	_, _ = w.Write(c.text)
	return true
}

// matches reports whether If-None-Match (RFC 9110, 13.1.2) names the entity tag.
// Caches on the way may have weakened it.
func matches(header []string, etag string) bool {
	for tag := range strings.SplitSeq(strings.Join(header, ","), ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}
