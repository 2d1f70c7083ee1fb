// Package api is the HTTP API under /api, its description at /openapi.json, the
// page at /docs/ that shows the description, and /healthz and /metrics.
//
// Handlers parse a request, call the domain or a store, and translate the result.
// They decide no rule about clients or mailings. The bodies of requests and answers
// are in json.go, errors in problem.go, and the steps around every request in
// serve.go.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"postrider/internal/mailing"
)

// Version is the version of the API's description.
const Version = "1.3.0"

// MaxBody is the largest request body in bytes. Files have a limit of their own,
// [MaxImport].
const MaxBody = 1 << 20

// Config is what the API works with. All fields but Origins are required.
type Config struct {
	Clients  Clients
	Mailings Mailings
	Tasks    Tasks
	Queues   Queues
	Keys     Keys
	Now      func() time.Time
	Log      *slog.Logger
	// Origins are the origins whose pages may use the API from a browser.
	Origins Origins
}

// server holds the handlers. It has no state that changes after [New].
type server struct {
	Config
	api huma.API
	// access is the role that each route needs. A key is a route as the mux writes
	// it: method, blank, path.
	access map[string]mailing.Role
}

// init sets huma's error function, its messages and its casing rule. huma keeps
// them in package variables, so they hold for the whole process. No other package
// of the process uses huma.
func init() { //nolint:gochecknoinits // huma has no other place for them, and tests run New in parallel
	huma.NewError = newProblem
	speak()
	// A key of a JSON object that differs in case is another key, and so an unknown
	// one.
	huma.ValidateStrictCasing = true
}

// New returns the handler of the whole API.
//
// The order matters at the end: complete and routeDescription work on the
// operations that are registered before them.
func New(c Config) http.Handler {
	mux := http.NewServeMux()
	s := &server{Config: c, access: map[string]mailing.Role{}}
	s.api = humago.New(mux, description())
	s.api.UseMiddleware(s.checkContentType, s.checkQuery)
	s.routeIndex()
	s.routeClients()
	s.routeImport()
	s.routeExport()
	s.routeMailings()
	s.routePreview()
	s.routeActions()
	s.routeStatistics()
	s.routeMessages()
	s.routeQueues()
	s.routeMetrics()
	s.complete()
	s.routeDescription(mux)
	s.routeDocs(mux)
	return s.middleware(mux)
}

// description returns huma's configuration with the texts that hold for the whole
// API, and without the parts of huma that this API does not use.
func description() huma.Config {
	config := huma.DefaultConfig("Postrider", Version)
	config.Tags = []*huma.Tag{
		{Name: "clients", Description: "The directory of clients: a phone, its operator code, a tag and a time zone each."},
		{Name: "mailings", Description: "Texts that go to every client that a filter chooses, and what can be done to them."},
		{Name: "statistics", Description: "How far mailings are, in numbers."},
		{Name: "messages", Description: "One message per mailing and client, and what became of it."},
		{Name: "service", Description: "The service itself: where everything is, whether it answers, what waits in its queues."},
	}
	// huma's own pages load scripts from another site. Its hook adds "$schema" to
	// bodies. Its handler builds the description on first use without a lock. So
	// none of them is used.
	config.DocsPath, config.SchemasPath, config.OpenAPIPath = "", "", ""
	config.CreateHooks = nil
	// The URL is relative to the description's own, so it stays right where API
	// Gateway puts a stage's name before the path. It has no slash at the end,
	// since clients append a path, which begins with one.
	config.Servers = []*huma.Server{{URL: ".", Description: "This deployment"}}
	// If a mistyped filter were ignored, the answer would hold everything.
	config.RejectUnknownQueryParameters = true
	return config
}

// schemas returns the registry that has the schema of each type in a request or an
// answer.
func (s *server) schemas() huma.Registry { return s.api.OpenAPI().Components.Schemas }

// handle registers one operation and the role that it needs. Errors of do become
// problem documents.
//
// It limits the body to [MaxBody] unless the operation has its own limit. huma
// refuses a body of just the limit, hence the one byte more.
func handle[I, O any](s *server, op huma.Operation, do func(context.Context, *I) (*O, error)) {
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = MaxBody + 1
	}
	id := op.OperationID
	s.allow(op.Method, op.Path, accessOf(op))
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, s.problem(ctx, id, err)
		}
		return out, nil
	})
}
