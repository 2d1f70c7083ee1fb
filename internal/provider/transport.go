package provider

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// idleTimeout is how long a connection is kept without use. A write on a connection
	// that the server is just closing is ambiguous, so the client closes it first:
	// servers keep connections for 2 s (gunicorn), 5 s (Node, Apache) or longer.
	// net/http also compares with the wall clock, so the limit also holds for an
	// execution environment that was frozen in between.
	idleTimeout = 1500 * time.Millisecond
	// maxConnect bounds each of TCP connect and TLS handshake, so that a host that
	// drops packets is noticed within a fraction of the usual timeout.
	maxConnect = 5 * time.Second
	// writeBuffer is large enough for any whole request (a text of 1,600 characters has
	// at most 9,600 bytes), so that each request goes out in one write.
	writeBuffer = 16 << 10
	// maxHeader bounds the headers of an answer, including all its 1xx answers.
	maxHeader = 64 << 10
)

// newTransport returns the transport.
//
// It uses HTTP/1.1 only, for three reasons. In HTTP/2 a GOAWAY or REFUSED_STREAM makes
// net/http repeat a POST whose headers were written. One broken connection would make
// all requests on it ambiguous at once. And with one request at a time on a connection,
// the bytes written on the connection are the bytes written of the request.
//
// It uses no proxy, not even the environment's. A wrong HTTP_PROXY would receive token
// and phones, and its 403s and 502s would look like the API's.
func newTransport(timeout time.Duration, conns int) *http.Transport {
	connect := min(timeout/2, maxConnect)
	dialer := &net.Dialer{Timeout: connect}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Protocols: protocols,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			raw, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &conn{Conn: raw}, nil
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    connect,
		MaxConnsPerHost:        conns,
		MaxIdleConns:           conns,
		MaxIdleConnsPerHost:    conns,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		WriteBufferSize:        writeBuffer,
		DisableCompression:     true,
	}
}

// conn reports its writes and reads to the attempt whose request it carries. net/http
// knows whether anything was written, but does not say so in its errors.
type conn struct {
	net.Conn
	attempt atomic.Pointer[attempt]
}

// Write marks the request as written when a write of it begins. It removes the mark only if
// nothing at all was written. A write before net/http has begun with the request is not the
// request: it is the close message of TLS, on a connection that the server has closed.
func (c *conn) Write(p []byte) (int, error) {
	try := c.attempt.Load()
	first := try != nil && try.begun.Load() && try.wrote.CompareAndSwap(false, true)
	if first && try.tooLate() {
		// It is too late to begin the request: connecting took too long.
		try.wrote.Store(false)
		return 0, errTooLate
	}
	n, err := c.Conn.Write(p)
	if first && n == 0 && err != nil {
		try.wrote.Store(false)
	}
	return n, err
}

// Read notes that bytes arrived after the request had begun.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if try := c.attempt.Load(); n > 0 && try != nil && try.wrote.Load() {
		try.readAfter.Store(true)
	}
	return n, err
}
