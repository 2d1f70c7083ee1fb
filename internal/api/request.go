package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"postrider/internal/mailing"
)

// requestKey is the key of the [request] in a context.
type requestKey struct{}

// request is data about a request that the request itself does not hold. It is
// used by the goroutine of the request only.
type request struct {
	id string
	// path is the path as it was sent, with a slash at its end if it had one.
	path string
	// plainLocal is whether it was made by plain HTTP to this machine.
	plainLocal bool
	// caller is the holder of the key.
	caller mailing.Caller
	// created has the ids of created resources, which are not in the path.
	created []slog.Attr
}

// requestOf returns the request of a context, or an empty one outside of a request.
func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

// requestID returns the id of the request of a context, for logs.
func requestID(ctx context.Context) string { return requestOf(ctx).id }

// failure returns the attributes of a log line about an error: the id of the
// request, and the error. A group without a name is written in place.
func failure(ctx context.Context, err error) slog.Attr {
	return slog.Group("", slog.String("request_id", requestID(ctx)), slog.String("error", err.Error()))
}

// location returns the relative reference from the path of the request to a created
// resource. target is the path of the collection, from the root of the API. Only a
// relative reference stays right where API Gateway puts the name of a stage before
// the path. The handler does not know that name.
func location[ID ~int64 | ~uint32](ctx context.Context, target string, id ID) string {
	return fmt.Sprintf("%s/%d", relative(requestOf(ctx).path, target), id)
}

// relative returns the relative reference from one path to another. It goes up to
// the root and down again, so both paths must begin with a slash.
func relative(from, target string) string {
	return strings.Repeat("../", strings.Count(from, "/")-1) + strings.TrimPrefix(target, "/")
}

// logID notes the id of a resource that the request has created, for the log line.
func logID[ID ~int64 | ~uint32](ctx context.Context, name string, id ID) {
	r := requestOf(ctx)
	r.created = append(r.created, slog.Int64(name, int64(id)))
}

// logRequest writes the log line of a request. The line has the route instead of the
// path, and the id in the path only if a resource can have it. So the line has no
// text of a mailing. It has a phone only if a caller sends one as the id of a
// message. took is logged in milliseconds.
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
	if caller := requestOf(ctx).caller.Name; caller != "" {
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
	attrs = append(attrs, requestOf(ctx).created...)
	s.log.LogAttrs(ctx, slog.LevelInfo, "request", attrs...)
}
