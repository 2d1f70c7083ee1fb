package api

import (
	"net/http"
	"strings"

	"postrider/internal/swaggerui"
)

// docsPath is where the description can be read and tried out. Below it a slash
// at the end matters, for the page loads what lies beside it.
const docsPath = "/docs"

func (s *server) routeDocs(mux *http.ServeMux) {
	s.allow(http.MethodGet, docsPath, everyone)
	s.allow(http.MethodGet, docsPath+"/{file...}", everyone)
	mux.HandleFunc("GET "+docsPath, func(w http.ResponseWriter, _ *http.Request) {
		// Relative, and so right behind a stage's name, which is not known here.
		w.Header().Set("Location", strings.TrimPrefix(docsPath, "/")+"/")
		w.WriteHeader(http.StatusFound)
	})
	pages := swaggerui.New()
	mux.HandleFunc("GET "+docsPath+"/{file...}", func(w http.ResponseWriter, r *http.Request) {
		if !pages.Serve(w, r, r.PathValue("file")) {
			writeProblem(w, problemOf(http.StatusNotFound, "there is nothing at this path"))
		}
	})
}

// inDocs tells whether a path is below /docs/.
func inDocs(path string) bool { return strings.HasPrefix(path, docsPath+"/") }
