// Package assets serves embedded files to browsers: with a type, a Content-Security-Policy
// and an entity tag each, and a lifetime in caches.
//
// Every file must be text in UTF-8, since API Gateway passes on only text.
package assets

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
)

// Policy is the Content-Security-Policy of pages that load only their own files and
// images in data URIs.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Site is a set of files. It is safe for concurrent use.
type Site struct {
	files   map[string]file
	forever func(r *http.Request, name string) bool
}

type file struct {
	contentType string
	// read reads and hashes the file once, at the first request: scripts are large.
	read func() content
}

type content struct {
	text []byte
	etag string
}

// New returns the site with the files of these folders of all. forever reports whether a
// browser may keep the answer to a request without asking again: the address of a file
// must then change with its content.
func New(all fs.FS, folders []string, forever func(r *http.Request, name string) bool) *Site {
	s := &Site{files: map[string]file{}, forever: forever}
	for _, folder := range folders {
		entries, err := fs.ReadDir(all, folder)
		if err != nil {
			panic(err) // the folder is embedded
		}
		for _, e := range entries {
			s.files[e.Name()] = file{typeOf(e.Name()), sync.OnceValue(func() content { return read(all, path.Join(folder, e.Name())) })}
		}
	}
	return s
}

// Names returns the names of all files, in order.
func (s *Site) Names() []string { return slices.Sorted(maps.Keys(s.files)) }

// typeOf returns the Content-Type of a file. Package mime's differs between
// machines.
func typeOf(name string) string {
	kind := map[string]string{".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}[path.Ext(name)]
	if kind == "" {
		kind = "text/plain" // the licences
	}
	return kind + "; charset=utf-8"
}

func read(all fs.FS, name string) content {
	text, err := fs.ReadFile(all, name)
	if err != nil {
		panic(err) // the file is embedded
	}
	sum := sha256.Sum256(text)
	return content{text, `"` + hex.EncodeToString(sum[:16]) + `"`}
}

// Serve answers a GET or HEAD of a file, or of index.html if name is empty. If there is
// no such file it returns false and writes nothing.
func (s *Site) Serve(w http.ResponseWriter, r *http.Request, name string) bool {
	if name == "" {
		name = "index.html"
	}
	f, ok := s.files[name]
	if !ok {
		return false
	}
	c, h := f.read(), w.Header()
	h.Set("ETag", c.etag)
	h.Set("Cache-Control", "no-cache") // a browser may store it, but has to revalidate it
	if s.forever(r, name) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Content-Security-Policy", Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if Matches(r.Header.Values("If-None-Match"), c.etag) {
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	h.Set("Content-Type", f.contentType)
	// The status is sent already, so an error cannot be reported any more.
	_, _ = w.Write(c.text)
	return true
}

// Matches reports whether If-None-Match (RFC 9110, 13.1.2) names the entity tag.
// Caches on the way may have made a strong tag weak, so both forms match.
func Matches(header []string, etag string) bool {
	for tag := range strings.SplitSeq(strings.Join(header, ","), ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}
