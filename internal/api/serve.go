package api

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// RequestIDHeader is the header in which the gateway passes on the id of a request,
// for logs.
const RequestIDHeader = "X-Request-Id"

// around returns the handler for all requests. For each request
//
//   - it writes one log line,
//   - it sets the headers of [OwnHeader],
//   - a panic becomes a 500,
//   - one slash at the end of a path is ignored,
//   - pages of allowed origins may read the answer, whatever it is,
//   - a refusal of the mux becomes a problem document.
func (s *server) middleware(mux *http.ServeMux) http.Handler {
	routed := s.Origins.cross(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.route(mux, w, r) }))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.Now()
		ctx := context.WithValue(r.Context(), requestKey{}, &request{id: r.Header.Get(RequestIDHeader), path: r.URL.Path})
		r = withoutSlash(ctx, r)
		out := &recorded{ResponseWriter: w}
		defer func() {
			half := false
			if p := recover(); p != nil {
				half = s.panicked(ctx, out, p)
			}
			s.logRequest(ctx, r, out.status, s.Now().Sub(began))
			if half {
				// A truncated answer must not look like a complete one.
				panic(http.ErrAbortHandler)
			}
		}()
		begin(out)
		routed.ServeHTTP(out, r)
	})
}

// panicked logs a panic and writes a 500. If part of an answer is written already,
// it writes nothing and returns true for half.
func (s *server) panicked(ctx context.Context, out *recorded, p any) (half bool) {
	s.Log.LogAttrs(ctx, slog.LevelError, "panic", slog.String("panic", fmt.Sprint(p)),
		slog.String("request_id", requestID(ctx)), slog.String("stack", string(debug.Stack())))
	if out.status != 0 {
		out.status = http.StatusInternalServerError
		return true
	}
	writeProblem(out, internalProblem())
	return false
}

// withoutSlash returns r with another context and without one slash at the end of
// its path, except below /docs/. It does not change the URL of r itself.
func withoutSlash(ctx context.Context, r *http.Request) *http.Request {
	r = r.WithContext(ctx)
	u := *r.URL
	if len(u.Path) < 2 || inDocs(u.Path) || !strings.HasSuffix(u.Path, "/") || u.RawPath != "" && !strings.HasSuffix(u.RawPath, "/") {
		return r
	}
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
	r.URL = &u
	return r
}

// route passes a request on to the mux if the caller may use its route. It looks up
// the route itself, because the mux would redirect a path that is not clean, and
// would answer in plain text for unknown paths and methods.
//
// Access is checked before existence. So a caller without a key gets 401 for all
// paths under /api.
func (s *server) route(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	clean := r.URL.Path == docsPath+"/" || path.Clean(r.URL.Path) == r.URL.Path
	var refuse http.Handler
	if clean {
		refuse, r.Pattern = mux.Handler(r)
	}
	// The mux matches routes with a method each. So it would pass another method of
	// /api/mailings/fullinfo to the route of the mailing with the id "fullinfo".
	taken := s.methods(r.URL.Path)
	if _, path, _ := strings.Cut(r.Pattern, " "); len(taken) > 0 && path != r.URL.Path {
		r.Pattern = ""
	}
	if refused := s.admit(r.Context(), r, s.needed(r, r.Pattern)); refused != nil {
		turnAway(w, refused)
		return
	}
	if !clean {
		writeProblem(w, problemOf(http.StatusNotFound, "there is nothing at this path"))
		return
	}
	if r.Pattern != "" {
		mux.ServeHTTP(w, r)
		return
	}
	allow := strings.Join(taken, ", ")
	if allow == "" {
		// For a path with an id, only the mux knows the methods that it accepts.
		silent := &refusal{header: http.Header{}}
		refuse.ServeHTTP(silent, r)
		if silent.status != http.StatusMethodNotAllowed {
			writeProblem(w, problemOf(http.StatusNotFound, "there is nothing at this path"))
			return
		}
		allow = silent.header.Get("Allow")
	}
	w.Header().Set("Allow", allow)
	writeProblem(w, problemOf(http.StatusMethodNotAllowed, "this path takes "+allow))
}

// methods returns the methods of a path that is itself the path of a route, in
// order. It returns none for other paths, such as those with an id. HEAD goes with
// GET.
func (s *server) methods(path string) []string {
	var taken []string
	for route := range s.access {
		method, its, _ := strings.Cut(route, " ")
		if its != path {
			continue
		}
		taken = append(taken, method)
		if method == http.MethodGet {
			taken = append(taken, http.MethodHead)
		}
	}
	slices.Sort(taken)
	return taken
}

// checkContentType refuses bodies of a type that the operation does not accept. A
// body without a type is assumed to have the right one.
func (s *server) checkContentType(ctx huma.Context, next func(huma.Context)) {
	sent := ctx.Header("Content-Type")
	body := ctx.Operation().RequestBody
	if body == nil || sent == "" {
		next(ctx)
		return
	}
	r, w := humago.Unwrap(ctx)
	media, _, err := mime.ParseMediaType(sent)
	if err != nil || body.Content[media] == nil {
		writeProblem(w, problemOf(http.StatusUnsupportedMediaType, typesTaken(body)))
		return
	}
	// huma compares the type as text: in lower case and without parameters.
	r.Header.Set("Content-Type", media)
	next(ctx)
}

// typesTaken says which types of body an operation accepts.
func typesTaken(body *huma.RequestBody) string {
	return "the body's Content-Type must be " + strings.Join(slices.Sorted(maps.Keys(body.Content)), " or ")
}

// recorded is a response that remembers its status.
type recorded struct {
	http.ResponseWriter
	status int
}

// WriteHeader sends the status. All calls but the first are ignored.
func (w *recorded) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body.
func (w *recorded) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	if err != nil {
		return n, fmt.Errorf("write a response: %w", err)
	}
	return n, nil
}

// refusal is a response that keeps status and headers and discards the body.
type refusal struct {
	header http.Header
	status int
}

func (w *refusal) Header() http.Header         { return w.header }
func (w *refusal) Write(b []byte) (int, error) { return len(b), nil }
func (w *refusal) WriteHeader(status int)      { w.status = status }

// requestKey is the key of the [request] in a context.
type requestKey struct{}

// request is the knowledge about a request that is not in the request itself. It is
// used by the request's own goroutine only.
type request struct {
	id string
	// path is the path as it was sent, with a slash at its end if it had one.
	path string
	// caller is the name of the key.
	caller string
	// made has the ids of created resources: no path has them.
	made []slog.Attr
}

// requestOf returns the request of a context, or an empty one outside of a request.
func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

// requestID returns the id of a context's request, for logs.
func requestID(ctx context.Context) string { return requestOf(ctx).id }

// location returns the relative reference from the request's path to a created
// resource. target is the path of the collection, from the root of the API. Only a
// relative reference stays right where API Gateway puts a stage's name before the
// path. The handler does not know that name.
func location[ID ~int64 | ~uint32](ctx context.Context, target string, id ID) string {
	return fmt.Sprintf("%s/%d", relative(requestOf(ctx).path, target), id)
}

// relative returns the relative reference from one path to another. It goes up to
// the root and down again, so both paths must begin with a slash.
func relative(from, target string) string {
	return strings.Repeat("../", strings.Count(from, "/")-1) + strings.TrimPrefix(target, "/")
}

// made notes the id of a resource that the request has created, for the log line.
func made[ID ~int64 | ~uint32](ctx context.Context, name string, id ID) {
	r := requestOf(ctx)
	r.made = append(r.made, slog.Int64(name, int64(id)))
}

// logRequest writes the request's log line. No field of it can be filled with a phone
// or a mailing's text by the caller. So it has the route instead of the path, and ids
// only if they are valid. took is logged in milliseconds.
func (s *server) logRequest(ctx context.Context, r *http.Request, status int, took time.Duration) {
	if status == 0 {
		status = http.StatusOK
	}
	attrs := []slog.Attr{
		slog.String("method", r.Method),
		slog.String("route", r.Pattern),
		slog.Int("status", status),
		slog.Float64("ms", float64(took.Microseconds())/1000),
		slog.String("request_id", requestID(ctx)),
	}
	if caller := requestOf(ctx).caller; caller != "" {
		attrs = append(attrs, slog.String("caller", caller))
	}
	var id idParam
	if id.UnmarshalText([]byte(r.PathValue("id"))) == nil {
		if n, err := id.client(); err == nil && strings.Contains(r.Pattern, clientPath) {
			attrs = append(attrs, slog.Int64("client_id", int64(n)))
		}
		if n, err := id.mailing(); err == nil && strings.Contains(r.Pattern, mailingPath) {
			attrs = append(attrs, slog.Int64("mailing_id", int64(n)))
		}
		if n, err := id.message(); err == nil && strings.Contains(r.Pattern, messagesPath) {
			attrs = append(attrs, slog.Int64("message_id", int64(n)))
		}
	}
	attrs = append(attrs, requestOf(ctx).made...)
	s.Log.LogAttrs(ctx, slog.LevelInfo, "request", attrs...)
}
