package api

import (
	"context"
	"net/http"
	"sync"
)

// Index is the body of the answer to /api/.
type Index struct {
	Links Links `json:"links"`
}

// Links are the addresses to start from, relative to the address of the request.
type Links struct {
	Clients     string `json:"clients" example:"../api/clients"`
	Mailings    string `json:"mailings" example:"../api/mailings"`
	Statistics  string `json:"statistics" example:"../api/mailings/fullinfo"`
	Messages    string `json:"messages" example:"../api/messages"`
	Queues      string `json:"queues" example:"../api/queues"`
	Description string `json:"description" example:"../openapi.json"`
	Docs        string `json:"docs" example:"../docs/"`
	Health      string `json:"health" example:"../healthz"`
	Metrics     string `json:"metrics" example:"../metrics"`
}

// linksFrom returns the links as seen from a path. They are relative references,
// because only those stay right where API Gateway puts a stage's name before the
// path. The handler does not know that name.
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

// routeIndex registers the index and the health check.
func (s *server) routeIndex() {
	handle(s, operation("get-index", http.MethodGet, "/api", "service", "Where everything is"),
		func(ctx context.Context, _ *struct{}) (*struct{ Body Index }, error) {
			return &struct{ Body Index }{Index{linksFrom(requestOf(ctx).path)}}, nil
		})
	health := withAccess(operation("get-health", http.MethodGet, "/healthz", "service", "Whether the service answers"), everyone)
	// Probes add parameters of their own, to get past caches.
	health.SkipValidateParams = true
	handle(s, health, func(context.Context, *struct{}) (*struct{ Body Health }, error) {
		return &struct{ Body Health }{Health{"ok"}}, nil
	})
}

// routeDescription serves the OpenAPI description of all registered operations.
// Each form is written once, with the first request for it.
func (s *server) routeDescription(mux *http.ServeMux) {
	described := s.api.OpenAPI()
	// The index is described with the slash. The API accepts both paths.
	described.Paths["/api/"] = described.Paths["/api"]
	delete(described.Paths, "/api")
	for _, form := range []struct {
		path, contentType string
		write             func() ([]byte, error)
	}{
		{"/openapi.json", "application/openapi+json", sync.OnceValues(described.MarshalJSON)},
		{"/openapi.yaml", "application/openapi+yaml", sync.OnceValues(described.YAML)},
	} {
		s.allow(http.MethodGet, form.path, everyone)
		mux.HandleFunc("GET "+form.path, func(w http.ResponseWriter, r *http.Request) {
			text, err := form.write()
			if err != nil {
				s.Log.ErrorContext(r.Context(), "description not written", "error", err.Error())
				writeProblem(w, internalProblem())
				return
			}
			w.Header().Set("Content-Type", form.contentType)
			// The status is sent already, so an error cannot be reported any more.
			_, _ = w.Write(text)
		})
	}
}
