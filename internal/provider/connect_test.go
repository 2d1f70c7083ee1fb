package provider_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"postrider/internal/mailing"
	"postrider/internal/provider"
)

func TestAFailedConnectionIsARetry(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	closeQuietly(listener)

	silent := listen(t, hold)
	plain := listen(t, func(c *net.TCPConn) { write(c, "HTTP/1.1 400 Bad Request\r\n\r\n"); hold(c) })
	ending := listen(t, func(c *net.TCPConn) { _, _ = c.Read(make([]byte, 1)); reset(c) })
	stranger := httptest.NewTLSServer(http.NotFoundHandler())
	stranger.Config.ErrorLog = quiet
	defer stranger.Close()

	https := func(url string) string { return "https" + url[len("http"):] }
	for _, tt := range []struct{ name, base, code string }{
		{"no server listens", "http://" + closed, "refused"},
		{"no server listens, with TLS", "https://" + closed, "refused"},
		{"the name does not exist", "http://nowhere.invalid", "dns"},
		{"the certificate is unknown", stranger.URL, "tls"},
		{"the server speaks no TLS", https(plain), "tls"},
		{"the connection is reset in the handshake", https(ending), "tls"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want(t, send(client(t, tt.base)), mailing.OutcomeRetry, tt.code)
		})
	}
	t.Run("the handshake gets no answer", func(t *testing.T) {
		want(t, send(client(t, https(silent), timeout(100*time.Millisecond))), mailing.OutcomeRetry, "connect_timeout")
	})
}

// dialing replaces how the client makes connections.
func dialing(c *provider.Client, dial func(context.Context) (net.Conn, error)) {
	c.SetDial(func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) })
}

func TestAHostThatDropsPacketsIsAConnectTimeout(t *testing.T) {
	for name, wait := range map[string]time.Duration{
		"the dialer gives up":               5 * time.Millisecond,
		"the call ends while it is dialing": time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, "http://127.0.0.1:1", timeout(100*time.Millisecond))
			dialing(c, func(ctx context.Context) (net.Conn, error) {
				// ControlContext runs between the trace's ConnectStart and the connect
				// itself.
				d := net.Dialer{Timeout: wait, ControlContext: func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
					<-ctx.Done()
					return ctx.Err()
				}}
				return d.DialContext(ctx, "tcp", "127.0.0.1:1")
			})
			want(t, send(c), mailing.OutcomeRetry, "connect_timeout")
		})
	}
}

func TestOtherFailuresToConnectAreUnreachable(t *testing.T) {
	c := client(t, "http://127.0.0.1:1")
	dialing(c, func(context.Context) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}
	})
	want(t, send(c), mailing.OutcomeRetry, "unreachable")
}

func TestACallWithACancelledContextIsNotTried(t *testing.T) {
	s := serveAccepting(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, client(t, s.URL).Send(ctx, handover), mailing.OutcomeNotTried, "not_tried")
	if n := s.conns.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

func TestACallCancelledWhileConnectingIsNotTried(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := client(t, "http://127.0.0.1:1")
	dialing(c, func(ctx context.Context) (net.Conn, error) {
		cancel()
		<-ctx.Done() // net/http cancels the dial when no request waits for it
		return nil, ctx.Err()
	})
	want(t, c.Send(ctx, handover), mailing.OutcomeNotTried, "not_tried")
}

func TestACallWhoseTimeEndsWhileItWaitsForAConnectionIsNotTried(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	s := serveRaw(t, func(c *net.TCPConn, _ int32) bool {
		close(started)
		<-release
		write(c, head200+accepted)
		return true
	})
	c := client(t, s.URL, func(cfg *provider.Config) { cfg.MaxConns = 1 })
	first := make(chan mailing.Outcome)
	go func() { first <- send(c) }()
	<-started

	soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	want(t, c.Send(soon, handover), mailing.OutcomeNotTried, "not_tried")

	c.SetTimeout(20 * time.Millisecond)
	want(t, send(c), mailing.OutcomeNotTried, "no_connection")

	close(release)
	want(t, <-first, mailing.OutcomeSent, "")
	if n := s.requests.Load(); n != 1 {
		t.Errorf("%d requests were made", n)
	}
}

// overTLS starts a server that offers HTTP/2, and returns a client that trusts it.
func overTLS(t *testing.T, version uint16, handle http.HandlerFunc, change ...func(*provider.Config)) *provider.Client {
	t.Helper()
	s := httptest.NewUnstartedServer(handle)
	s.TLS = &tls.Config{MinVersion: version, MaxVersion: version}
	s.EnableHTTP2 = true
	s.Config.ErrorLog = quiet
	s.StartTLS()
	t.Cleanup(s.Close)
	c := client(t, s.URL, change...)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c.SetRoots(roots)
	return c
}

func TestHTTPSUsesHTTP1(t *testing.T) {
	var proto string
	c := overTLS(t, tls.VersionTLS13, func(w http.ResponseWriter, r *http.Request) {
		proto = r.Proto
		write200(w)
	})
	want(t, send(c), mailing.OutcomeSent, "")
	want(t, send(c), mailing.OutcomeSent, "")
	if proto != "HTTP/1.1" {
		t.Errorf("the server saw %s", proto)
	}
}

func TestARequestCutOverTLSIsAmbiguousAndNotRepeated(t *testing.T) {
	var requests atomic.Int32
	c := overTLS(t, tls.VersionTLS13, func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
		write200(w)
	})
	want(t, send(c), mailing.OutcomeSent, "")
	want(t, send(c), mailing.OutcomeAmbiguous, "cut")
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests were made", n)
	}
}

// failingConn is a connection that fails at TLS records of application data.
type failingConn struct{ net.Conn }

func (m failingConn) Write(p []byte) (int, error) {
	if len(p) > 0 && p[0] == 23 { // RFC 5246, section 6.2.1
		_ = m.Close()
		return 0, errBroken
	}
	return m.Conn.Write(p)
}

func TestARequestThatTLSCouldNotWriteIsARetry(t *testing.T) {
	// TLS 1.2 is the last version that shows on the wire which records are data.
	c := overTLS(t, tls.VersionTLS12, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	c.SetDial(func(ctx context.Context, network, address string) (net.Conn, error) {
		plain, err := new(net.Dialer).DialContext(ctx, network, address)
		return failingConn{plain}, err
	})
	want(t, send(c), mailing.OutcomeRetry, "closed")
}

func TestOldTLSIsRefused(t *testing.T) {
	c := overTLS(t, tls.VersionTLS11, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	want(t, send(c), mailing.OutcomeRetry, "tls")
}

func TestNoProxyIsUsed(t *testing.T) {
	// net/http reads the environment only once, so the test checks that it is not
	// asked.
	if client(t, "https://host.invalid").Proxied() {
		t.Error("there is a proxy")
	}
}
