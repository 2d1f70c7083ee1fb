// Package proxy gives the API one stable address, as a custom domain does on AWS. The
// API's id and stage are not visible in it.
package proxy

import (
	"encoding/json"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// Proxy is a reverse proxy to the current address of the API.
type Proxy struct {
	target atomic.Pointer[url.URL]
	proxy  *httputil.ReverseProxy
}

// New returns a proxy without a target. It answers 503 until it has one.
func New(log *log.Logger) *Proxy {
	p := &Proxy{}
	p.proxy = &httputil.ReverseProxy{
		Rewrite: p.rewrite,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true, // bodies pass unchanged
		},
		FlushInterval: -1,
		ErrorHandler:  unavailable,
		ErrorLog:      log,
	}
	return p
}

// SetTarget makes the proxy forward to base, followed by the request's path. With nil
// it forwards nowhere.
func (p *Proxy) SetTarget(base *url.URL) { p.target.Store(base) }

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.target.Load() == nil {
		problem(w, http.StatusServiceUnavailable, "The local stack is starting. Try again in a moment.")
		return
	}
	p.proxy.ServeHTTP(w, r)
}

func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	target := p.target.Load()
	if target == nil { // it was removed after ServeHTTP had looked
		target = &url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	}
	out := r.Out.URL
	out.Scheme, out.Host = target.Scheme, target.Host
	// The paths are joined as text: a final slash, double slashes and %2F are for the
	// API to interpret.
	out.Path, out.RawPath = target.Path+r.In.URL.Path, target.EscapedPath()+r.In.URL.EscapedPath()
	out.RawQuery = r.In.URL.RawQuery // also parameters that Go would drop as malformed
	r.Out.Host = r.In.Host           // the function sees the name of a custom domain
	r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	r.SetXForwarded()
}

func unavailable(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the caller has gone
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" { // refused, or no such name: for example, that of a container that has ended
		problem(w, http.StatusServiceUnavailable, "LocalStack does not answer: it is starting, or it has ended.")
		return
	}
	problem(w, http.StatusBadGateway, "LocalStack did not answer properly.")
}

// problem writes an RFC 9457 document, the form of all errors of the API.
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	document := struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{http.StatusText(status), status, detail}
	body, err := json.Marshal(document)
	if err != nil { // cannot happen: two strings and a number
		body = []byte("{}")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // if this fails, there is no caller left to report to
}
