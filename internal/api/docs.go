package api

import (
	"net/http"
	"strings"

	"postrider/internal/swaggerui"
)

// docsPath is where the description can be read and tried out. Below it a slash
// at the end matters, for the page loads what lies beside it.
const docsPath = "/docs"

// root is the path / and nothing below it, as the mux writes it.
const root = "/{$}"

func (s *server) routeDocs(mux *http.ServeMux) {
	s.allow(http.MethodGet, docsPath+"/{file...}", everyone)
	// Whoever comes to the root is shown what there is.
	for _, path := range []string{root, docsPath} {
		s.allow(http.MethodGet, path, everyone)
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			// Relative, and so right behind a stage's name, which is not known here.
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
