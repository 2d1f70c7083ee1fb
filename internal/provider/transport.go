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
	// idleTimeout is how long a connection is kept without use. Writing on one
	// that the server is just closing is ambiguous, so ours go first: servers
	// keep them for 2 s (gunicorn), 5 s (Node, Apache) or longer. net/http
	// compares with the wall clock too, so that it also holds for an environment
	// that was frozen in between.
	idleTimeout = 1500 * time.Millisecond
	// maxConnect bounds each of TCP connect and TLS handshake: a host that drops
	// packets is found out within a fraction of the usual timeout.
	maxConnect = 5 * time.Second
	// writeBuffer holds any whole request (a text of 1,600 characters is 9,600
	// bytes at worst), so that it goes out in one write.
	writeBuffer = 16 << 10
	// maxHeader bounds an answer's headers, all its 1xx included.
	maxHeader = 64 << 10
)

// newTransport makes the transport.
//
// HTTP/1.1 only. In HTTP/2 a GOAWAY or REFUSED_STREAM makes net/http repeat a
// POST whose headers were written; one cut connection would make all that it
// carries ambiguous at once; and with one request at a time on a connection,
// what was written on it is what was written of the request.
//
// No proxy, not even the environment's: a stray HTTP_PROXY would be given token
// and phones, and its 403s and 502s would be taken for the API's.
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

// conn tells the attempt that it serves what happens on the wire. net/http
// knows whether anything was written, but does not say so in its errors.
type conn struct {
	net.Conn
	serves atomic.Pointer[attempt]
}

// Write counts as written from its beginning, until it turns out to have
// written nothing at all. What goes out before net/http has begun with the
// request is TLS saying good-bye on a connection that the server has closed.
func (c *conn) Write(p []byte) (int, error) {
	try := c.serves.Load()
	first := try != nil && try.begun.Load() && try.wrote.CompareAndSwap(false, true)
	if first && try.tooLate() {
		// Connecting took until the request may not begin any more.
		try.wrote.Store(false)
		return 0, errLate
	}
	n, err := c.Conn.Write(p)
	if first && n == 0 && err != nil {
		try.wrote.Store(false)
	}
	return n, err
}

// Read notes that bytes came after the request had begun.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if try := c.serves.Load(); n > 0 && try != nil && try.wrote.Load() {
		try.heard.Store(true)
	}
	return n, err
}
