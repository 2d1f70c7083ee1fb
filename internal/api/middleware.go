package api

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"path"
	"runtime/debug"
	"slices"
	"strings"
)

// RequestIDHeader is the header in which the gateway passes on the id of a request,
// for logs.
const RequestIDHeader = "X-Request-Id"

// middleware returns the handler for all requests. For each request
//
//   - it writes one log line,
//   - it sets the headers of [OwnHeader],
//   - a panic becomes a 500,
//   - one slash at the end of a path is ignored,
//   - pages of allowed origins may read the answer, whatever it is,
//   - a refusal of the mux becomes a problem document.
func (s *server) middleware(mux *http.ServeMux) http.Handler {
	routed := s.origins.allow(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.route(mux, w, r) }))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.now()
		ctx := context.WithValue(r.Context(), requestKey{}, &request{
			id: r.Header.Get(RequestIDHeader), path: r.URL.Path, plainLocal: isPlainLocal(r),
		})
		r = withoutSlash(ctx, r)
		out := &recorded{ResponseWriter: w}
		defer func() {
			partial := false
			if p := recover(); p != nil {
				partial = s.panicked(ctx, out, p)
			}
			s.logRequest(ctx, r, out.status, s.now().Sub(began))
			if partial {
				// A partial answer must not look like a complete one.
				panic(http.ErrAbortHandler)
			}
		}()
		maps.Copy(w.Header(), OwnHeader())
		routed.ServeHTTP(out, r)
	})
}

// panicked logs a panic and writes a 500. If part of an answer is written already,
// it writes nothing and returns true for partial.
func (s *server) panicked(ctx context.Context, out *recorded, p any) (partial bool) {
	s.log.LogAttrs(ctx, slog.LevelError, "panic", slog.String("panic", fmt.Sprint(p)),
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
	if len(u.Path) < 2 || inDocs(u.Path) || !strings.HasSuffix(u.Path, "/") ||
		u.RawPath != "" && !strings.HasSuffix(u.RawPath, "/") {
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
// The key is checked before the path. So a caller without a key gets 401 for all
// paths under /api.
func (s *server) route(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	clean := r.URL.Path == docsPath+"/" || path.Clean(r.URL.Path) == r.URL.Path
	var fallback http.Handler
	if clean {
		fallback, r.Pattern = mux.Handler(r)
	}
	// Each route of the mux has one method. So the mux would pass, for example, a
	// DELETE of /api/mailings/fullinfo to the route of the mailing with the id
	// "fullinfo".
	methods := s.methods(r.URL.Path)
	if _, path, _ := strings.Cut(r.Pattern, " "); len(methods) > 0 && path != r.URL.Path {
		r.Pattern = ""
	}
	if refused := s.admit(r.Context(), r, s.needed(r, r.Pattern)); refused != nil {
		writeProblem(w, refused)
		return
	}
	if !clean {
		writeProblem(w, pathNotFound())
		return
	}
	if r.Pattern != "" {
		if r.Method == http.MethodPatch {
			w.Header().Set(acceptPatch, patchTypes)
		}
		mux.ServeHTTP(w, r)
		return
	}
	allow := strings.Join(methods, ", ")
	if allow == "" {
		// For a path with an id, only the mux knows the methods that it accepts.
		discarded := &headerOnly{header: http.Header{}}
		fallback.ServeHTTP(discarded, r)
		if discarded.status != http.StatusMethodNotAllowed {
			writeProblem(w, pathNotFound())
			return
		}
		allow = discarded.header.Get("Allow")
	}
	w.Header().Set("Allow", allow)
	if strings.Contains(allow, http.MethodPatch) {
		w.Header().Set(acceptPatch, patchTypes)
	}
	writeProblem(w, problemOf(http.StatusMethodNotAllowed, "this path accepts "+allow))
}

// methods returns the methods of a path that is itself the path of a route, in
// order. It returns none for other paths, such as those with an id. HEAD goes with
// GET.
func (s *server) methods(path string) []string {
	var methods []string
	for route := range s.access {
		method, of, _ := strings.Cut(route, " ")
		if of != path {
			continue
		}
		methods = append(methods, method)
		if method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	slices.Sort(methods)
	return methods
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

// headerOnly is a response that keeps status and headers and discards the body.
type headerOnly struct {
	header http.Header
	status int
}

func (w *headerOnly) Header() http.Header         { return w.header }
func (w *headerOnly) Write(b []byte) (int, error) { return len(b), nil }
func (w *headerOnly) WriteHeader(status int)      { w.status = status }

// OwnHeader returns the headers that each answer begins with, even if no handler
// makes the answer. A handler that serves other content than data may override
// them. The headers forbid a browser to store the answer, to load or run anything,
// to embed the answer in a frame, and to guess its type. They also make the browser
// use HTTPS only, for two years.
//
// Cross-Origin-Resource-Policy concerns embedding. It does not affect the origins
// that CorsOrigins allows to read answers.
func OwnHeader() http.Header {
	return http.Header{
		"Cache-Control":                {"no-store"},
		"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
		"Referrer-Policy":              {"no-referrer"},
		"Strict-Transport-Security":    {"max-age=63072000; includeSubDomains"},
		"X-Content-Type-Options":       {"nosniff"},
		"X-Frame-Options":              {"DENY"},
	}
}
