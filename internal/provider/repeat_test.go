package provider_test

import (
	"context"
	"net"
	"net/http/httptrace"
	"sync/atomic"
	"syscall"
	"testing"

	"postrider/internal/mailing"
	"postrider/internal/provider"
)

// net/http repeats a request by itself in some cases. The tests below cover all of
// them.

// serveOnce answers the first request, and ends the connection at the second one.
func serveOnce(t *testing.T, end func(*net.TCPConn)) *raw {
	t.Helper()
	return serveRaw(t, func(c *net.TCPConn, n int32) bool {
		if n == 1 {
			write(c, head200+accepted)
			return true
		}
		end(c)
		return false
	})
}

func TestAWrittenRequestOnAKeptConnectionIsNotRepeated(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*net.TCPConn)
		code string
	}{
		{"the connection ends without an answer", func(*net.TCPConn) {}, "cut"},
		{"the connection is reset without an answer", reset, "reset"},
		{"the connection ends within the answer", func(c *net.TCPConn) { write(c, "HTTP/1.1 200 OK\r\n") }, "cut"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serveOnce(t, tt.end)
			c := client(t, s.URL)
			want(t, send(c), mailing.OutcomeSent, "")
			want(t, send(c), mailing.OutcomeAmbiguous, tt.code)
			if requests, conns := s.requests.Load(), s.conns.Load(); requests != 2 || conns != 1 {
				t.Errorf("%d requests were made on %d connections", requests, conns)
			}
		})
	}
}

// faulty is a connection whose second request fails while it is written.
type faulty struct {
	net.Conn
	writes atomic.Int32
	second func(net.Conn, []byte) (int, error)
}

func (f *faulty) Write(p []byte) (int, error) {
	if f.writes.Add(1) == 2 {
		return f.second(f.Conn, p)
	}
	return f.Conn.Write(p)
}

// failSecondWrite makes the client's first connection faulty, and counts all connections.
func failSecondWrite(c *provider.Client, second func(net.Conn, []byte) (int, error)) *atomic.Int32 {
	dials := new(atomic.Int32)
	c.SetDial(func(ctx context.Context, network, address string) (net.Conn, error) {
		plain, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil || dials.Add(1) > 1 {
			return plain, err
		}
		return &faulty{Conn: plain, second: second}, nil
	})
	return dials
}

var errBroken = &net.OpError{Op: "write", Err: syscall.EPIPE}

func serveAccepting(t *testing.T) *raw {
	t.Helper()
	return serveRaw(t, func(c *net.TCPConn, _ int32) bool {
		write(c, head200+accepted)
		return true
	})
}

func TestARequestWithNoByteWrittenUsesAnotherConnection(t *testing.T) {
	s := serveAccepting(t)
	c := client(t, s.URL)
	dials := failSecondWrite(c, func(net.Conn, []byte) (int, error) { return 0, errBroken })
	want(t, send(c), mailing.OutcomeSent, "")
	want(t, send(c), mailing.OutcomeSent, "")
	if requests := s.requests.Load(); requests != 2 || dials.Load() != 2 {
		t.Errorf("%d requests arrived on %d connections", requests, dials.Load())
	}
}

func TestARequestWithOneByteWrittenIsNotRepeated(t *testing.T) {
	for name, second := range map[string]func(net.Conn, []byte) (int, error){
		"one byte went out": func(c net.Conn, p []byte) (int, error) {
			n, _ := c.Write(p[:1])
			return n, errBroken
		},
		"all but one byte went out": func(c net.Conn, p []byte) (int, error) {
			n, _ := c.Write(p[:len(p)-1])
			return n, errBroken
		},
		"all went out, and yet the write failed": func(c net.Conn, p []byte) (int, error) {
			n, _ := c.Write(p)
			return n, errBroken
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveAccepting(t)
			c := client(t, s.URL)
			dials := failSecondWrite(c, second)
			want(t, send(c), mailing.OutcomeSent, "")
			if got := send(c); got != ambiguous("reset") && got.Kind != mailing.OutcomeSent {
				t.Errorf("got %+v", got)
			} else if got.Kind == mailing.OutcomeSent && s.requests.Load() != 2 {
				t.Errorf("sent, but %d requests arrived", s.requests.Load())
			}
			if dials.Load() != 1 {
				t.Error("it was written on another connection")
			}
		})
	}
}

func TestANewConnectionThatAcceptsNothingIsARetry(t *testing.T) {
	s := serveAccepting(t)
	c := client(t, s.URL)
	c.SetDial(func(ctx context.Context, network, address string) (net.Conn, error) {
		plain, err := new(net.Dialer).DialContext(ctx, network, address)
		f := &faulty{Conn: plain, second: func(net.Conn, []byte) (int, error) { return 0, errBroken }}
		f.writes.Store(1)
		return f, err
	})
	want(t, send(c), mailing.OutcomeRetry, "closed")
	if n := s.requests.Load(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

func TestASecondAnswerIsNotTheAnswerToTheNextRequest(t *testing.T) {
	s := serveRaw(t, func(c *net.TCPConn, n int32) bool {
		if n == 1 {
			write(c, head200+accepted+head200+accepted)
		}
		return n == 1 // the second is never answered
	})
	c := client(t, s.URL)

	// net/http looks for such an answer after it has put the connection back into its
	// pool. The test delays the look until the next request has the connection.
	kept, taken := make(chan struct{}), make(chan struct{})
	first := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{PutIdleConn: func(error) {
		close(kept)
		<-taken
	}})
	second := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) {
		close(taken)
	}})
	done := make(chan mailing.Outcome)
	go func() { done <- c.Send(first, handover) }()
	<-kept
	want(t, c.Send(second, handover), mailing.OutcomeAmbiguous, "unsolicited")
	want(t, <-done, mailing.OutcomeSent, "")
}
