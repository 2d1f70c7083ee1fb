// Package api is the HTTP API under /api, its description at /openapi.json, the
// page that shows that at /docs/, and /healthz.
//
// Handlers parse, call the domain or a store, and translate: no rule about
// clients or mailings is decided here. What goes over the wire is in json.go,
// what an error looks like in problem.go, and what happens around every request
// in serve.go.
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

// MaxBody is the largest request body, in bytes, but for files.
const MaxBody = 1 << 20

// Config is what the API works with. All of it is required but Origins.
type Config struct {
	Clients  Clients
	Mailings Mailings
	Tasks    Tasks
	Queues   Queues
	Keys     Keys
	Now      func() time.Time
	Log      *slog.Logger
	// Origins are those whose pages may use the API.
	Origins Origins
}

// server holds the handlers; it has no state of its own.
type server struct {
	Config
	api huma.API
	// access is the role that each route needs, as the mux writes routes.
	access map[string]mailing.Role
}

// These are huma's only places for what they say, and are for the whole
// process. Nothing else in it uses huma.
func init() { //nolint:gochecknoinits // huma has no other place for them, and tests run New in parallel
	huma.NewError = newProblem
	speak()
	// A key that differs in case is another key, hence an unknown one.
	huma.ValidateStrictCasing = true
}

// New is the whole API.
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
	return s.around(mux)
}

func description() huma.Config {
	config := huma.DefaultConfig("Postrider", Version)
	config.Tags = []*huma.Tag{
		{Name: "clients", Description: "The directory of clients: a phone, its operator code, a tag and a time zone each."},
		{Name: "mailings", Description: "Texts that go to every client that a filter chooses, and what can be done to them."},
		{Name: "statistics", Description: "How far mailings are, in numbers."},
		{Name: "messages", Description: "One message per mailing and client, and what became of it."},
		{Name: "service", Description: "The service itself: where everything is, whether it answers, what waits in its queues."},
	}
	// huma's own pages load from elsewhere, its hook adds "$schema" to bodies,
	// and its description is built on first use without a lock.
	config.DocsPath, config.SchemasPath, config.OpenAPIPath = "", "", ""
	config.CreateHooks = nil
	// Relative to the description, and so behind the same stage's name. Without a
	// slash, for clients put a path, which begins with one, behind it.
	config.Servers = []*huma.Server{{URL: ".", Description: "This deployment"}}
	// A mistyped filter that is silently ignored answers with everything.
	config.RejectUnknownQueryParameters = true
	return config
}

// schemas holds the schema of every type that goes over the wire.
func (s *server) schemas() huma.Registry { return s.api.OpenAPI().Components.Schemas }

// handle registers one operation, whose errors become problem documents.
func handle[I, O any](s *server, op huma.Operation, do func(context.Context, *I) (*O, error)) {
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = MaxBody + 1 // huma refuses a body of just this size
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
