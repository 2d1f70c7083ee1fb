// Package api is the HTTP API under /api, its description at /openapi.json, the
// page at /docs/ that shows the description, and /healthz and /metrics.
//
// Handlers parse a request, call the domain or a store, and translate the result.
// They decide no rule about clients or mailings. An operation is in one file: its
// route, role, texts, examples, errors, bodies and handler. Errors are in
// problem.go, values that several bodies have in types.go, and the steps that all
// requests take in middleware.go.
package api

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"postrider/internal/mailing"
)

// Version is the version of the API's description.
const Version = "1.6.0"

// MaxBody is the largest request body in bytes. Files have a limit of their own,
// [MaxImport].
const MaxBody = 1 << 20

// Config is the configuration of the API. Now and Log are required.
type Config struct {
	Now func() time.Time
	Log *slog.Logger
	// Origins are the origins whose pages may use the API from a browser.
	Origins Origins
}

// server holds the handlers. It has no state that changes after [New].
type server struct {
	clients  Clients
	mailings Mailings
	tasks    Tasks
	queues   Queues
	keys     Keys
	now      func() time.Time
	log      *slog.Logger
	origins  Origins
	api      huma.API
	// access is the role that each route needs. A key is a route as the mux writes
	// it: method, blank, path.
	access map[string]mailing.Role
	// crossOrigin refuses changes that pages of other sites request.
	crossOrigin *http.CrossOriginProtection
}

// init sets huma's error function, its messages and its casing rule. huma keeps
// them in package variables, so they hold for the whole process. No other package
// of the process uses huma.
func init() { //nolint:gochecknoinits // huma has no other place for them, and tests run New in parallel
	huma.NewError = newProblem
	replaceMessages()
	// A key of a JSON object that differs in case is another key, and so an unknown
	// one.
	huma.ValidateStrictCasing = true
}

// New returns the handler of the whole API.
//
// The description has the operations that are registered before routeDescription.
func New(clients Clients, mailings Mailings, tasks Tasks, queues Queues, keys Keys, c Config) http.Handler {
	mux := http.NewServeMux()
	s := &server{
		clients: clients, mailings: mailings, tasks: tasks, queues: queues, keys: keys, now: c.Now, log: c.Log,
		origins: c.Origins, crossOrigin: http.NewCrossOriginProtection(),
		api: humago.New(mux, configuration()), access: map[string]mailing.Role{},
	}
	s.api.UseMiddleware(s.checkContentType, s.checkQuery)
	s.routeService()
	s.routeSession()
	s.routeClients()
	s.routeFacets()
	s.routeFiles()
	s.routeMailings()
	s.routeEdits()
	s.routePreview()
	s.routeActions()
	s.routeRetry()
	s.routeStatistics()
	s.routeSeries()
	s.routeMessages()
	s.routeQueues()
	s.routeMetrics()
	s.routeDescription(mux)
	s.routeDocs(mux)
	s.routePages(mux)
	return s.middleware(mux)
}
