package api

import (
	"context"
	"net/http"
	"strings"

	"postrider/internal/swaggerui"
	"postrider/internal/webui"
)

// Index is the body of the answer to /api/.
type Index struct {
	Links Links `json:"links"`
}

// Links are the addresses to start from, relative to the address of the request.
type Links struct {
	Clients     string `json:"clients" example:"api/clients"`
	Mailings    string `json:"mailings" example:"api/mailings"`
	Statistics  string `json:"statistics" example:"api/mailings/fullinfo"`
	Messages    string `json:"messages" example:"api/messages"`
	Queues      string `json:"queues" example:"api/queues"`
	Description string `json:"description" example:"openapi.json"`
	Docs        string `json:"docs" example:"docs/"`
	Health      string `json:"health" example:"healthz"`
	Metrics     string `json:"metrics" example:"metrics"`
}

// linksFrom returns the links as seen from a path. They are relative references,
// because only those stay right where API Gateway puts the name of a stage before
// the path. The handler does not know that name.
func linksFrom(path string) Links {
	from := func(target string) string { return relative(path, target) }
	return Links{
		Clients:     from(clientsPath),
		Mailings:    from(mailingsPath),
		Statistics:  from(mailingsPath + "/fullinfo"),
		Messages:    from(messagesPath),
		Queues:      from(queuesPath),
		Description: from("/openapi.json"),
		Docs:        from(docsPath + "/"),
		Health:      from("/healthz"),
		Metrics:     from(metricsPath),
	}
}

// Health is the body of the answer to /healthz.
type Health struct {
	Status string `json:"status" enum:"ok"`
}

// routeService registers the index and the health check.
func (s *server) routeService() {
	register(s, operation{
		id: "get-index", method: http.MethodGet, path: "/api", tag: serviceTag,
		summary: "Read the links to start from",
		about: "Returns links, which are relative to the address of the request. It reads no data, so it is " +
			"also a cheap way to check a key.",
		success: "The links.", answer: Index{linksFrom("/api")},
	}, func(ctx context.Context, _ *struct{}) (*struct{ Body Index }, error) {
		return &struct{ Body Index }{Index{linksFrom(requestOf(ctx).path)}}, nil
	})
	register(s, operation{
		id: "get-health", method: http.MethodGet, path: "/healthz", role: everyone, tag: serviceTag,
		summary: "Check that the service answers",
		about: "Answers if the service runs. It is public, reads no data, and accepts any query parameter, so " +
			"that probes can avoid caches.\n\nIt does not say whether messages are sent. That is in `GET " +
			"/api/queues`.",
		success: "The service answers.", answer: Health{"ok"}, anyQuery: true,
	}, func(context.Context, *struct{}) (*struct{ Body Health }, error) {
		return &struct{ Body Health }{Health{"ok"}}, nil
	})
}

// docsPath is the path of the page that shows the description. Below it a slash at
// the end matters, because the page loads its files by relative URLs.
const docsPath = "/docs"

// root is the path / and no path below it, as the mux writes it.
const root = "/{$}"

// routeDocs serves the page of the description at /docs/, and redirects /docs to it. It
// is public.
func (s *server) routeDocs(mux *http.ServeMux) {
	s.allow(http.MethodGet, docsPath+"/{file...}", everyone)
	s.allow(http.MethodGet, docsPath, everyone)
	mux.HandleFunc("GET "+docsPath, func(w http.ResponseWriter, _ *http.Request) {
		// A relative Location stays right where API Gateway puts the name of a
		// stage before the path. The handler does not know that name.
		w.Header().Set("Location", strings.TrimPrefix(docsPath, "/")+"/")
		w.WriteHeader(http.StatusFound)
	})
	pages := swaggerui.New()
	mux.HandleFunc("GET "+docsPath+"/{file...}", func(w http.ResponseWriter, r *http.Request) {
		if !pages.Serve(w, r, r.PathValue("file")) {
			writeProblem(w, pathNotFound())
		}
	})
}

// routePages serves the admin pages: the page at /, and each file that it loads. They are
// public; what they show comes from the API, which needs a key.
func (s *server) routePages(mux *http.ServeMux) {
	site := webui.New()
	serve := func(path, name string) {
		s.allow(http.MethodGet, path, everyone)
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { site.Serve(w, r, name) })
	}
	serve(root, "")
	for _, name := range site.Names() {
		if name != "index.html" {
			serve("/"+name, name)
		}
	}
}

// inDocs reports whether a path is below /docs/.
func inDocs(path string) bool { return strings.HasPrefix(path, docsPath+"/") }
