package api

import (
	"net/http"
	"strings"

	"postrider/internal/swaggerui"
)

// docsPath is the path of the page that shows the description. Below it a slash at
// the end matters, because the page loads its files by relative URLs.
const docsPath = "/docs"

// root is the path / and no path below it, as the mux writes it.
const root = "/{$}"

// routeDocs serves the page, and redirects / and /docs to /docs/. All of it is
// public.
func (s *server) routeDocs(mux *http.ServeMux) {
	s.allow(http.MethodGet, docsPath+"/{file...}", everyone)
	for _, path := range []string{root, docsPath} {
		s.allow(http.MethodGet, path, everyone)
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			// A relative Location stays right where API Gateway puts a stage's name
			// before the path. The handler does not know that name.
			w.Header().Set("Location", strings.TrimPrefix(docsPath, "/")+"/")
			w.WriteHeader(http.StatusFound)
		})
	}
	pages := swaggerui.New()
	mux.HandleFunc("GET "+docsPath+"/{file...}", func(w http.ResponseWriter, r *http.Request) {
		if !pages.Serve(w, r, r.PathValue("file")) {
			writeProblem(w, problemOf(http.StatusNotFound, "there is nothing at this path"))
		}
	})
}

// inDocs reports whether a path is below /docs/.
func inDocs(path string) bool { return strings.HasPrefix(path, docsPath+"/") }
