// Package swaggerui serves the page that shows the API's description and tries it
// out. dist/ has Swagger UI as its authors publish it, and page/ has the few files
// around it. All of them are embedded in the program: a browser that shows the page
// loads nothing from other sites.
//
// Every file is text in UTF-8, since API Gateway passes on only text.
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

// Version is the version of Swagger UI in dist/.
const Version = "5.35.0"

// policy is the Content-Security-Policy. It allows only the files beside the page
// and Swagger UI's icons, which are data URIs. Swagger UI's styles need no
// exception, because its script sets them one by one.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// The licences are embedded, and so published, with the code.
//
//go:embed dist/swagger-ui-bundle.js dist/swagger-ui-bundle.js.LICENSE.txt dist/swagger-ui.css dist/LICENSE dist/NOTICE
//go:embed page
var files embed.FS

// Pages serves the page and the files that it loads.
type Pages struct {
	files map[string]file
}

type file struct {
	contentType string
	// vendored reports whether the file is Swagger UI's: it changes only with
	// [Version].
	vendored bool
	// read reads and hashes the file once, at the first request: the script is
	// large.
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
			panic(err) // the folder is embedded
		}
		for _, e := range entries {
			p.files[e.Name()] = file{typeOf(e.Name()), folder == "dist", sync.OnceValue(reading(folder + "/" + e.Name()))}
		}
	}
	return p
}

// typeOf returns the Content-Type of a file. Package mime's differs between
// machines.
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
			panic(err) // the file is embedded
		}
		sum := sha256.Sum256(text)
		return content{text, `"` + hex.EncodeToString(sum[:16]) + `"`}
	}
}

// Serve answers a GET or HEAD of a file, or of the page if name is empty. If there
// is no such file it returns false and writes nothing.
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
	h.Set("Cache-Control", "no-cache") // a browser may store it, but has to revalidate it
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
	// The status is sent already, so an error cannot be reported any more.
	_, _ = w.Write(c.text)
	return true
}

// matches reports whether If-None-Match (RFC 9110, 13.1.2) names the entity tag.
// Caches on the way may have made a strong tag weak, so both forms match.
func matches(header []string, etag string) bool {
	for tag := range strings.SplitSeq(strings.Join(header, ","), ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}
