package provider

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

func TestTheBodyIsNotReturnedAgainAfterAByteWasWritten(t *testing.T) {
	c, err := New(Config{BaseURL: "http://127.0.0.1:1", Token: "x", Timeout: time.Second, MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	try := &attempt{}
	req := c.request(t.Context(), 1, []byte("{}"), try)
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

func TestAnAnswerFromBeforeTheRequestIsNotItsAnswer(t *testing.T) {
	read := func(c *conn, far net.Conn) {
		go mustWrite(t, far, "HTTP/1.1")
		if _, err := io.ReadFull(c, make([]byte, 8)); err != nil {
			t.Error(err)
		}
	}
	put := func(c *conn, far net.Conn) {
		c.attempt.Load().begun.Store(true)
		go mustRead(t, far, "POST")
		mustWrite(t, c, "POST")
	}
	for _, tt := range []struct {
		name        string
		steps       []func(*conn, net.Conn)
		unsolicited bool
	}{
		{"request, then answer", []func(*conn, net.Conn){put, read}, false},
		{"an answer to no request", []func(*conn, net.Conn){read}, true},
		{"an answer, then the request", []func(*conn, net.Conn){read, put}, true},
		{"nothing was read since the request: the answer was in the buffer", []func(*conn, net.Conn){put}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near, far := net.Pipe()
			c, try := &conn{Conn: near}, &attempt{}
			try.gotConn(c)
			for _, step := range tt.steps {
				step(c, far)
			}
			try.trace().GotFirstResponseByte()
			if got := try.unsolicited.Load(); got != tt.unsolicited {
				t.Errorf("unsolicited is %v", got)
			}
		})
	}
}

func TestBytesWrittenBeforeTheRequestDoNotCountAsTheRequest(t *testing.T) {
	near, far := net.Pipe()
	c, try := &conn{Conn: near}, &attempt{}
	try.gotConn(c)
	go mustRead(t, far, "good-bye")
	mustWrite(t, c, "good-bye")
	if try.wrote.Load() {
		t.Error("the bytes count as the request")
	}
}

func mustWrite(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Error(err)
	}
}

func mustRead(t *testing.T, c net.Conn, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAConnectionForAnAbandonedRequestCarriesNoRequest(t *testing.T) {
	near, _ := net.Pipe()
	now := time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)
	c, try := &conn{Conn: near}, &attempt{before: now.Add(time.Hour), now: func() time.Time { return now }}
	ctx, stop := try.connectContext(t.Context())
	defer stop()
	try.expire()
	try.gotConn(c)
	try.begun.Store(true)
	if _, err := c.Write([]byte("POST")); !errors.Is(err, errTooLate) || try.wrote.Load() || ctx.Err() == nil {
		t.Errorf("%v, written %v, given up: %v", err, try.wrote.Load(), ctx.Err())
	}
}

func TestARequestWithAConnectionIsNotAbandoned(t *testing.T) {
	near, _ := net.Pipe()
	try := &attempt{before: time.Now().Add(time.Hour), now: time.Now}
	ctx, stop := try.connectContext(t.Context())
	defer stop()
	try.getConn("")
	try.gotConn(&conn{Conn: near})
	try.expire()
	if ctx.Err() != nil || try.late.Load() {
		t.Error("the request is abandoned")
	}
	try.getConn("") // nothing could be written: net/http looks for another connection
	if ctx.Err() == nil || !try.late.Load() {
		t.Error("the request waits for another connection")
	}
}
