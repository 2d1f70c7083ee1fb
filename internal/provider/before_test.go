package provider_test

import (
	"context"
	"crypto/tls"
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

// closing is the instant from which the hand-overs of these tests may not begin.
var closing = time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)

// wallClock is a clock that shows one second before closing until it is set.
type wallClock struct {
	mu  sync.Mutex
	now time.Time
}

func (w *wallClock) set(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = now
}

func (w *wallClock) config(c *provider.Config) {
	w.set(closing.Add(-time.Second))
	c.Now = func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.now
	}
}

// until returns a hand-over that may begin only before an instant.
func until(before time.Time) mailing.Handover {
	h := handover
	h.Before = before
	return h
}

// protocols holds a function for each protocol. The function starts a server and returns a
// client of that server, which uses the clock.
var protocols = map[string]func(*testing.T, *wallClock, http.HandlerFunc) *provider.Client{
	"plain": func(t *testing.T, w *wallClock, handle http.HandlerFunc) *provider.Client {
		t.Helper()
		s := httptest.NewServer(handle)
		t.Cleanup(s.Close)
		return client(t, s.URL, w.config)
	},
	"TLS 1.2": func(t *testing.T, w *wallClock, handle http.HandlerFunc) *provider.Client {
		t.Helper()
		return overTLS(t, tls.VersionTLS12, handle, w.config)
	},
	"TLS 1.3": func(t *testing.T, w *wallClock, handle http.HandlerFunc) *provider.Client {
		t.Helper()
		return overTLS(t, tls.VersionTLS13, handle, w.config)
	},
}

func TestAHandOverWhoseConnectionComesTooLateDoesNotBegin(t *testing.T) {
	for protocol, connect := range protocols {
		for _, tt := range []struct {
			name     string
			arrives  time.Time // the instant at which there is a connection
			before   time.Time
			want     mailing.Outcome
			requests int32
		}{
			{"1 ns before the end", closing.Add(-1), closing, outcome(mailing.OutcomeSent, ""), 1},
			{"at the end", closing, closing, outcome(mailing.OutcomeNotTried, "too_late"), 0},
			{"an hour later", closing.Add(time.Hour), closing, outcome(mailing.OutcomeNotTried, "too_late"), 0},
			{"an hour later, without a limit", closing.Add(time.Hour), time.Time{}, outcome(mailing.OutcomeSent, ""), 1},
		} {
			t.Run(protocol+", "+tt.name, func(t *testing.T) {
				var clock wallClock
				var requests atomic.Int32
				c := connect(t, &clock, func(w http.ResponseWriter, _ *http.Request) {
					requests.Add(1)
					write200(w)
				})
				c.SetDial(func(ctx context.Context, network, address string) (net.Conn, error) {
					clock.set(tt.arrives)
					return new(net.Dialer).DialContext(ctx, network, address)
				})
				if got := c.Send(t.Context(), until(tt.before)); got != tt.want || requests.Load() != tt.requests {
					t.Errorf("got %+v, %d requests arrived", got, requests.Load())
				}
			})
		}
	}
}

func TestAHandOverThatIsTooLateOnAKeptConnectionUsesNoOtherConnection(t *testing.T) {
	for protocol, connect := range protocols {
		t.Run(protocol, func(t *testing.T) {
			var clock wallClock
			var requests atomic.Int32
			c := connect(t, &clock, func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				write200(w)
			})
			want(t, c.Send(t.Context(), until(closing)), mailing.OutcomeSent, "")
			want(t, c.Send(whenItHasAConnection(t, func() { clock.set(closing) }), until(closing)), mailing.OutcomeNotTried, "too_late")
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests arrived, want the first", n)
			}
			// Only that hand-over was too late: the next one succeeds.
			want(t, c.Send(t.Context(), until(closing.Add(time.Minute))), mailing.OutcomeSent, "")
		})
	}
}

func TestALateAnswerToABegunHandOverCounts(t *testing.T) {
	for protocol, connect := range protocols {
		t.Run(protocol, func(t *testing.T) {
			var clock wallClock
			c := connect(t, &clock, func(w http.ResponseWriter, _ *http.Request) {
				clock.set(closing.Add(time.Hour))
				write200(w)
			})
			want(t, c.Send(t.Context(), until(closing)), mailing.OutcomeSent, "")
		})
	}
}

// holdFirst serves connections. It closes started when the first request arrives, and
// answers that request only after release is closed.
func holdFirst(t *testing.T) (s *raw, started, release chan struct{}) {
	t.Helper()
	started, release = make(chan struct{}), make(chan struct{})
	s = serveRaw(t, func(c *net.TCPConn, n int32) bool {
		if n == 1 {
			close(started)
			<-release
		}
		write(c, head200+accepted)
		return true
	})
	return s, started, release
}

func TestAHandOverThatWaitedTooLongForAFreeConnectionDoesNotBegin(t *testing.T) {
	var clock wallClock
	s, started, release := holdFirst(t)
	c := client(t, s.URL, clock.config, func(cfg *provider.Config) { cfg.MaxConns = 1 })
	first, second := make(chan mailing.Outcome), make(chan mailing.Outcome)
	go func() { first <- c.Send(t.Context(), until(closing)) }()
	<-started
	go func() { second <- c.Send(t.Context(), until(closing)) }()
	clock.set(closing)
	close(release)
	want(t, <-first, mailing.OutcomeSent, "")
	want(t, <-second, mailing.OutcomeNotTried, "too_late")
	if n := s.requests.Load(); n != 1 {
		t.Errorf("%d requests arrived", n)
	}
}

func TestAHandOverThatIsTooLateAndCannotReconnectIsNotTried(t *testing.T) {
	var clock wallClock
	s := serveAccepting(t)
	c := client(t, s.URL, clock.config)
	want(t, c.Send(t.Context(), until(closing)), mailing.OutcomeSent, "")
	// net/http looks for another connection if nothing was written on a kept one.
	c.SetDial(func(context.Context, string, string) (net.Conn, error) { return nil, errBroken })
	want(t, c.Send(whenItHasAConnection(t, func() { clock.set(closing) }), until(closing)), mailing.OutcomeNotTried, "too_late")
}

// whenItHasAConnection returns a context for a hand-over. It calls do when the
// hand-over has its connection, before the request begins.
func whenItHasAConnection(t *testing.T, do func()) context.Context {
	t.Helper()
	return httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { do() }})
}

func TestAHandOverThatComesTooLateDoesNotUseTheKeptConnection(t *testing.T) {
	var clock wallClock
	s := serveAccepting(t)
	c := client(t, s.URL, clock.config)
	want(t, c.Send(t.Context(), until(closing)), mailing.OutcomeSent, "")
	clock.set(closing)
	want(t, c.Send(t.Context(), until(closing)), mailing.OutcomeNotTried, "too_late")
	want(t, c.Send(t.Context(), until(closing.Add(time.Minute))), mailing.OutcomeSent, "")
	if requests, conns := s.requests.Load(), s.conns.Load(); requests != 2 || conns != 1 {
		t.Errorf("%d requests arrived on %d connections", requests, conns)
	}
}
