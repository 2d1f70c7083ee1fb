// Package gateway connects an http.Handler to API Gateway (REST, payload version
// 1). It is the only package that knows both. The adapter that it uses differs from
// a net/http server in some points; they are corrected here.
package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/core"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"
)

// requestIDHeader is the header in which the handler gets API Gateway's id of the
// request. A header of this name that the caller sends is dropped.
const requestIDHeader = "X-Request-Id"

const ourSide = "an internal error occurred; the request can be repeated"

// Function is the type of handler that a Lambda function is started with.
type Function func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error)

// New returns a function that serves h. The function answers every event: an event
// that cannot be turned into a request with 400, a panic of h with 500. Both are
// problem documents with the headers of own, as h does not write them. The
// function's error is always nil, because an error would be a failed invocation,
// and the caller would get a 502 without a body.
//
// h gets the path as the caller sent it, without the stage, and the context of the
// invocation with its deadline. To discard an answer that it has begun, h panics
// with http.ErrAbortHandler. That panic is not logged here.
func New(h http.Handler, own http.Header) Function {
	adapter := httpadapter.New(asServed(h))
	return func(ctx context.Context, event events.APIGatewayProxyRequest) (resp events.APIGatewayProxyResponse, _ error) {
		defer func() {
			if p := recover(); p != nil {
				logPanic(ctx, p, event.RequestContext.RequestID)
				resp = problem(own, http.StatusInternalServerError, ourSide)
			}
		}()
		event, readable := mended(ctx, event)
		if !readable {
			return problem(own, http.StatusBadRequest, "the request's method, path or body cannot be read"), nil
		}
		resp, err := adapter.ProxyWithContext(ctx, event)
		if err != nil {
			slog.ErrorContext(ctx, "event not served", "error", err, "request_id", event.RequestContext.RequestID)
			return problem(own, http.StatusInternalServerError, ourSide), nil
		}
		if event.HTTPMethod == http.MethodHead {
			// A net/http server drops the body of an answer to HEAD. API Gateway
			// would send it.
			resp.Body, resp.IsBase64Encoded = "", false
		}
		return resp, nil
	}
}

// logPanic logs a panic, unless it is http.ErrAbortHandler: the handler has logged
// the cause of that.
func logPanic(ctx context.Context, p any, requestID string) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return
	}
	slog.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()), "request_id", requestID)
}

// mended returns the event in the form that the adapter needs. readable is false if
// the adapter would fail; it would print the path, too.
func mended(ctx context.Context, event events.APIGatewayProxyRequest) (_ events.APIGatewayProxyRequest, readable bool) {
	// The adapter builds the URL as text from the path and the query.
	event.Path = strings.NewReplacer("?", "%3F", "#", "%23").Replace(event.Path)
	if !strings.HasPrefix(event.Path, "/") {
		event.Path = "/" + event.Path
	}
	event.HTTPMethod = strings.ToUpper(event.HTTPMethod)
	if len(event.MultiValueHeaders) == 0 {
		// The adapter reads the single-value headers only if this is nil.
		event.MultiValueHeaders = nil
	}
	if event.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(event.Body)
		if err != nil {
			return event, false
		}
		event.Body, event.IsBase64Encoded = string(body), false
	}
	_, err := http.NewRequestWithContext(ctx, event.HTTPMethod, "https://"+event.RequestContext.DomainName+event.Path, http.NoBody)
	// net/http takes an empty method for GET. Here it means that the event is not a
	// request of API Gateway.
	return event, err == nil && event.HTTPMethod != ""
}

// asServed returns h with the requests and the responses that a net/http server
// would give it.
func asServed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host := r.Header.Get("Host"); host != "" {
			r.Host = host
			r.Header.Del("Host")
		}
		// The adapter's URL begins with API Gateway's own address. URLs that a
		// handler derives from it would contain that address.
		r.URL.Scheme, r.URL.Host = "", ""
		if r.RemoteAddr != "" {
			r.RemoteAddr = net.JoinHostPort(r.RemoteAddr, "0")
		}
		r.Header.Del(requestIDHeader)
		if event, ok := core.GetAPIGatewayContextFromContext(r.Context()); ok && event.RequestID != "" {
			r.Header.Set(requestIDHeader, event.RequestID)
		}
		out := &response{to: w, header: http.Header{}}
		h.ServeHTTP(out, r)
		// A handler that writes nothing means an empty 200.
		out.Flush()
	})
}

// response keeps the order of a net/http server: the head once, then the body if
// the status has one. The adapter alone would use the last status, and headers that
// are set after it.
type response struct {
	to     http.ResponseWriter
	header http.Header
	status int
}

// Header returns the headers. Changes count until the head is sent.
func (w *response) Header() http.Header { return w.header }

// WriteHeader sends the head, once. It ignores informational heads (1xx) and
// trailers, which API Gateway cannot send.
func (w *response) WriteHeader(status int) {
	if w.status != 0 || status < http.StatusOK {
		return
	}
	w.status = status
	for name, values := range w.header {
		// API Gateway accepts neither the prefix of a trailer nor a name without
		// values.
		if len(values) > 0 && name != "Trailer" && !strings.HasPrefix(name, http.TrailerPrefix) {
			w.to.Header()[name] = slices.Clone(values)
		}
	}
	w.to.WriteHeader(status)
}

// Write adds to the body.
func (w *response) Write(b []byte) (int, error) {
	w.Flush()
	if w.status == http.StatusNoContent || w.status == http.StatusNotModified {
		return 0, http.ErrBodyNotAllowed
	}
	return w.to.Write(b) //nolint:wrapcheck // it is the same writer
}

// Flush sends the head if it has not been sent. The body is sent as a whole at the
// end.
func (w *response) Flush() { w.WriteHeader(http.StatusOK) }

func problem(own http.Header, status int, detail string) events.APIGatewayProxyResponse {
	body, err := json.Marshal(struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{http.StatusText(status), status, detail})
	if err != nil {
		body = []byte("{}") // strings and a number are always valid JSON
	}
	headers := map[string][]string{"Content-Type": {"application/problem+json"}}
	maps.Copy(headers, own)
	return events.APIGatewayProxyResponse{StatusCode: status, MultiValueHeaders: headers, Body: string(body)}
}
