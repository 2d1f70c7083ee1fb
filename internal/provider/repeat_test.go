package provider

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"postrider/internal/mailing"
)

// net/http repeats requests by itself if it thinks that it may. These are all
// the ways for it to think so.

// serveOnce answers a connection's first request, and ends its second.
func serveOnce(t *testing.T, end func(*net.TCPConn)) *raw {
	return serveRaw(t, func(c *net.TCPConn, n int32) bool {
		if n == 1 {
			write(c, head200+accepted)
			return true
		}
		end(c)
		return false
	})
}

func TestARequestOnAKeptConnectionIsNotRepeatedOnceItWasWritten(t *testing.T) {
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

// faulty is a connection whose second request fails as it is written.
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

// sabotage makes the first connection faulty, and counts all.
func sabotage(c *Client, second func(net.Conn, []byte) (int, error)) *atomic.Int32 {
	dials := new(atomic.Int32)
	c.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		plain, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil || dials.Add(1) > 1 {
			return &conn{Conn: plain}, err
		}
		return &conn{Conn: &faulty{Conn: plain, second: second}}, nil
	}
	return dials
}

var errBroken = &net.OpError{Op: "write", Err: syscall.EPIPE}

func serveAccepting(t *testing.T) *raw {
	return serveRaw(t, func(c *net.TCPConn, _ int32) bool {
		write(c, head200+accepted)
		return true
	})
}

func TestARequestThatCouldNotBeWrittenAtAllGoesOutOnAnotherConnection(t *testing.T) {
	s := serveAccepting(t)
	c := client(t, s.URL)
	dials := sabotage(c, func(net.Conn, []byte) (int, error) { return 0, errBroken })
	want(t, send(c), mailing.OutcomeSent, "")
	want(t, send(c), mailing.OutcomeSent, "")
	if requests := s.requests.Load(); requests != 2 || dials.Load() != 2 {
		t.Errorf("%d requests arrived on %d connections", requests, dials.Load())
	}
}

func TestARequestOfWhichOneByteWasWrittenIsNotRepeated(t *testing.T) {
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
			dials := sabotage(c, second)
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

func TestAFreshConnectionThatTakesNothingIsWorthARetry(t *testing.T) {
	s := serveAccepting(t)
	c := client(t, s.URL)
	c.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		plain, err := new(net.Dialer).DialContext(ctx, network, address)
		f := &faulty{Conn: plain, second: func(net.Conn, []byte) (int, error) { return 0, errBroken }}
		f.writes.Store(1)
		return &conn{Conn: f}, err
	}
	want(t, send(c), mailing.OutcomeRetry, "closed")
	if n := s.requests.Load(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

func TestTheBodyIsNotGivenOutAgainOnceAByteWasWritten(t *testing.T) {
	c := client(t, "http://127.0.0.1:1")
	try := &attempt{}
	req := c.request(t.Context(), handover.ID, []byte("{}"), try)
	if body, err := req.GetBody(); err != nil {
		t.Error(err)
	} else if b, _ := io.ReadAll(body); string(b) != "{}" {
		t.Errorf("got %q", b)
	}
	try.wrote.Store(true)
	if _, err := req.GetBody(); !errors.Is(err, errWritten) {
		t.Errorf("got %v", err)
	}
}

func TestAnAnswerThatWasThereBeforeTheRequestIsNotItsAnswer(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	read := func(c *conn) {
		go far.Write([]byte("HTTP/1.1"))
		if _, err := io.ReadFull(c, make([]byte, 8)); err != nil {
			t.Error(err)
		}
	}
	put := func(c *conn) {
		go io.ReadFull(far, make([]byte, 4))
		if _, err := c.Write([]byte("POST")); err != nil {
			t.Error(err)
		}
	}
	for _, tt := range []struct {
		name  string
		steps []func(*conn)
		early bool
	}{
		{"request, then answer", []func(*conn){put, read}, false},
		{"an answer to no request", []func(*conn){read}, true},
		{"an answer, then the request", []func(*conn){read, put}, true},
		{"nothing was read since the request: it lay in the buffer", []func(*conn){put}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, try := &conn{Conn: near}, &attempt{}
			try.use(c)
			for _, step := range tt.steps {
				step(c)
			}
			try.trace().GotFirstResponseByte()
			if got := try.early.Load(); got != tt.early {
				t.Errorf("early is %v", got)
			}
		})
	}
}

func TestASecondAnswerToOneRequestIsNeverTheNextOnes(t *testing.T) {
	log.SetOutput(io.Discard) // where net/http tells about such answers
	defer log.SetOutput(os.Stderr)
	for range 20 {
		s := serveRaw(t, func(c *net.TCPConn, n int32) bool {
			if n == 1 {
				write(c, head200+accepted+head200+accepted)
				return true
			}
			return false // the second is never answered
		})
		c := client(t, s.URL)
		want(t, send(c), mailing.OutcomeSent, "")
		if got := send(c); got.Kind == mailing.OutcomeSent {
			t.Fatalf("got %+v", got)
		}
	}
}
