package provider_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postrider/internal/mailing"
	"postrider/internal/provider"
)

// soon is how long the hand-overs of these tests may wait for a connection. It is real
// time, because real connections are made.
const soon = 50 * time.Millisecond

// holding is a server that answers no TLS handshake before it is released.
type holding struct {
	release        chan struct{}
	conns, request atomic.Int32
}

// holdHandshakes starts a holding server, and returns it and a client whose clock
// stands still at soon before closing.
func holdHandshakes(t *testing.T, conns int) (*holding, *provider.Client) {
	t.Helper()
	h := &holding{release: make(chan struct{})}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h.request.Add(1)
		write200(w)
	}))
	s.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		<-h.release
		return nil, nil //nolint:nilnil // as documented: the server's own configuration
	}}
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			h.conns.Add(1)
		}
	}
	s.Config.ErrorLog = quiet
	s.StartTLS()
	t.Cleanup(s.Close)
	var clock wallClock
	c := client(t, s.URL, clock.config, func(cfg *provider.Config) { cfg.MaxConns = conns })
	clock.set(closing.Add(-soon))
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c.SetRoots(roots)
	return h, c
}

func TestAConnectionFromASlowHandshakeServesTheNextCall(t *testing.T) {
	for name, tt := range map[string]struct{ conns, most int }{
		"one connection":   {1, 1},
		"some connections": {4, 2}, // net/http dials for the second request, too, and takes the first connection that is made
	} {
		t.Run(name, func(t *testing.T) {
			h, c := holdHandshakes(t, tt.conns)
			began := time.Now()
			want(t, c.Send(t.Context(), until(closing)), mailing.OutcomeNotTried, "too_late")
			if took := time.Since(began); took < soon || took > 3*time.Second {
				t.Errorf("it waited %v for a connection, want %v", took, soon)
			}

			// The next hand-over begins while that dial goes on.
			release := sync.OnceFunc(func() { close(h.release) })
			waits := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GetConn: func(string) { release() }})
			want(t, c.Send(waits, until(closing.Add(time.Hour))), mailing.OutcomeSent, "")
			if conns, requests := h.conns.Load(), h.request.Load(); int(conns) > tt.most || requests != 1 {
				t.Errorf("%d connections, %d requests", conns, requests)
			}
		})
	}
}

func TestRepeatedHandOversMakeNoMoreConnectionsThanTheLimit(t *testing.T) {
	h, c := holdHandshakes(t, 3)
	for range 8 {
		want(t, c.Send(t.Context(), until(closing.Add(time.Millisecond-soon))), mailing.OutcomeNotTried, "too_late")
	}
	close(h.release)
	want(t, c.Send(t.Context(), until(closing.Add(time.Hour))), mailing.OutcomeSent, "")
	if conns, requests := h.conns.Load(), h.request.Load(); conns > 3 || requests != 1 {
		t.Errorf("%d connections, %d requests", conns, requests)
	}
}

func TestAHandshakeWithoutAnswerIsAConnectTimeoutWhileTimeIsLeft(t *testing.T) {
	h, c := holdHandshakes(t, 1)
	defer close(h.release)
	c.SetHandshakeTimeout(soon)
	want(t, c.Send(t.Context(), until(closing.Add(time.Hour))), mailing.OutcomeRetry, "connect_timeout")
}

func TestAHandOverWaitsForAFreeConnectionUntilItIsTooLate(t *testing.T) {
	var clock wallClock
	s, started, release := holdFirst(t)
	c := client(t, s.URL, clock.config, func(cfg *provider.Config) { cfg.MaxConns = 1 })
	first := make(chan mailing.Outcome)
	go func() { first <- send(c) }()
	<-started
	clock.set(closing.Add(-soon))
	want(t, c.Send(t.Context(), until(closing)), mailing.OutcomeNotTried, "too_late")
	close(release)
	want(t, <-first, mailing.OutcomeSent, "")
}

func TestAHandOverWithABrokenConnectionWaitsForAnotherUntilItIsTooLate(t *testing.T) {
	s := serveAccepting(t)
	var clock wallClock
	c := client(t, s.URL, clock.config)
	clock.set(closing.Add(-soon))
	dials := 0
	c.SetDial(func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials > 1 {
			<-ctx.Done() // net/http ends its dials when the client is closed
			return nil, ctx.Err()
		}
		plain, err := new(net.Dialer).DialContext(ctx, network, address)
		return &faulty{Conn: plain, second: func(net.Conn, []byte) (int, error) { return 0, errBroken }}, err
	})
	want(t, send(c), mailing.OutcomeSent, "")
	want(t, c.Send(t.Context(), until(closing)), mailing.OutcomeNotTried, "too_late")
	if n := s.requests.Load(); n != 1 {
		t.Errorf("%d requests arrived", n)
	}
}
