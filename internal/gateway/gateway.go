// Package gateway puts an http.Handler behind API Gateway (REST, payload
// version 1). It is the one place that knows both sides; where the adapter that
// it uses differs from a net/http server, it is mended here.
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

// requestIDHeader tells the handler API Gateway's id of the request. What a
// caller sends under this name does not get through.
const requestIDHeader = "X-Request-Id"

const ourSide = "something went wrong on our side; the request can be repeated"

// Function is what a Lambda function is started with.
type Function func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error)

// New serves h. The function answers every event: what cannot be turned into a
// request is a 400, a panic of h a 500, both as problem documents with the
// header own, since h has no part in them. Its error is always nil, as an error
// is a failed invocation and a 502 without a word.
//
// h sees the path as the caller sent it, without the stage, and the context of
// the invocation with its deadline. It panics with http.ErrAbortHandler to take
// back what it has written; that is not logged again.
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
			// A server drops it; API Gateway would send it.
			resp.Body, resp.IsBase64Encoded = "", false
		}
		return resp, nil
	}
}

func logPanic(ctx context.Context, p any, requestID string) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return
	}
	slog.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()), "request_id", requestID)
}

// mended is the event as the adapter needs it. readable is false where the
// adapter would fail, printing the path.
func mended(ctx context.Context, event events.APIGatewayProxyRequest) (_ events.APIGatewayProxyRequest, readable bool) {
	// The adapter puts path and query together as text.
	event.Path = strings.NewReplacer("?", "%3F", "#", "%23").Replace(event.Path)
	if !strings.HasPrefix(event.Path, "/") {
		event.Path = "/" + event.Path
	}
	event.HTTPMethod = strings.ToUpper(event.HTTPMethod)
	if len(event.MultiValueHeaders) == 0 {
		// The adapter reads the other ones only if this is nil.
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
	// To net/http a request without a method is a GET; here it is another kind of event.
	return event, err == nil && event.HTTPMethod != ""
}

// asServed is h under the conditions of a net/http server.
func asServed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host := r.Header.Get("Host"); host != "" {
			r.Host = host
			r.Header.Del("Host")
		}
		// The adapter's URL begins with API Gateway's own address, and so would
		// whatever is made of it.
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

// response keeps the order that a server keeps: a head, once, then a body if the
// status has one. The adapter would take the last status, and headers that come
// after it.
type response struct {
	to     http.ResponseWriter
	header http.Header
	status int
}

// Header is the head as long as it has not been sent.
func (w *response) Header() http.Header { return w.header }

// WriteHeader sends the head, once. There is nothing to send an informational
// one (1xx) with, nor trailers.
func (w *response) WriteHeader(status int) {
	if w.status != 0 || status < http.StatusOK {
		return
	}
	w.status = status
	for name, values := range w.header {
		// API Gateway takes neither a trailer's prefix nor a name without values.
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

// Flush sends the head if it has not been sent; the body goes out as a whole.
func (w *response) Flush() { w.WriteHeader(http.StatusOK) }

func problem(own http.Header, status int, detail string) events.APIGatewayProxyResponse {
	body, err := json.Marshal(struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{http.StatusText(status), status, detail})
	if err != nil {
		body = []byte("{}") // strings and a number cannot fail
	}
	headers := map[string][]string{"Content-Type": {"application/problem+json"}}
	maps.Copy(headers, own)
	return events.APIGatewayProxyResponse{StatusCode: status, MultiValueHeaders: headers, Body: string(body)}
}
