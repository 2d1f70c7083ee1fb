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

// RequestIDHeader is where the id of a request comes in, for logs.
const RequestIDHeader = "X-Request-Id"

// around is what happens around every request: one log line, the own header, a
// panic becomes a 500, one trailing slash is the same path, pages of allowed
// origins may read the answer whatever it is, and what the mux refuses becomes a
// problem document.
func (s *server) around(mux *http.ServeMux) http.Handler {
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
				// Half an answer must not pass for a whole one.
				panic(http.ErrAbortHandler)
			}
		}()
		begin(out)
		routed.ServeHTTP(out, r)
	})
}

// panicked logs a panic and answers, unless a part of an answer is out: half is
// what that is then.
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

// withoutSlash is r under another context and with one trailing slash less,
// except below /docs/.
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

// route serves what the mux knows to those who may have it. The mux itself
// would redirect an unclean path, and answer in plain text what it does not know.
func (s *server) route(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	clean := r.URL.Path == docsPath+"/" || path.Clean(r.URL.Path) == r.URL.Path
	var refuse http.Handler
	if clean {
		refuse, r.Pattern = mux.Handler(r)
	}
	// The mux knows only routes: other methods of /api/mailings/fullinfo would go
	// to the mailing "fullinfo".
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
		// With an id in the path, only the mux knows which methods it would have taken.
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

// methods are those that a path takes which is a route as it stands, in order;
// none if there is no such route.
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

// checkContentType refuses bodies of a type that the operation does not take.
// A body without a type is taken for one that it does.
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
	// huma knows it only without parameters and in lower case.
	r.Header.Set("Content-Type", media)
	next(ctx)
}

// typesTaken says what a body may be.
func typesTaken(body *huma.RequestBody) string {
	return "the body's Content-Type must be " + strings.Join(slices.Sorted(maps.Keys(body.Content)), " or ")
}

// recorded is a response whose status is known afterwards.
type recorded struct {
	http.ResponseWriter
	status int
}

// WriteHeader sends the status; only the first one counts.
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

// refusal is the head of a response that nobody gets.
type refusal struct {
	header http.Header
	status int
}

func (w *refusal) Header() http.Header         { return w.header }
func (w *refusal) Write(b []byte) (int, error) { return len(b), nil }
func (w *refusal) WriteHeader(status int)      { w.status = status }

type requestKey struct{}

// request is what is known of a request besides what it says itself.
type request struct {
	id string
	// path is as it was sent, with a slash at its end if it had one.
	path string
	// caller is the name of the key.
	caller string
	// made are the ids of what it made: they are in no path.
	made []slog.Attr
}

func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

func requestID(ctx context.Context) string { return requestOf(ctx).id }

// location is where target, a path from the root of the API, is from where the
// request went: a relative reference, as only that is right behind a stage's
// prefix, of which we are not told.
func location[ID ~int64 | ~uint32](ctx context.Context, target string, id ID) string {
	return fmt.Sprintf("%s/%d", relative(requestOf(ctx).path, target), id)
}

// relative is the way to target from another path.
func relative(from, target string) string {
	return strings.Repeat("../", strings.Count(from, "/")-1) + strings.TrimPrefix(target, "/")
}

// made notes the id of something that the request made, for its log line.
func made[ID ~int64 | ~uint32](ctx context.Context, name string, id ID) {
	r := requestOf(ctx)
	r.made = append(r.made, slog.Int64(name, int64(id)))
}

// logRequest writes the request's log line. It has nothing in it that a caller
// could fill with a phone or a text: the route instead of the path, and ids
// only if they are such.
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
