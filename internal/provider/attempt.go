package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"sync/atomic"
	"syscall"
	"time"

	"postrider/internal/mailing"
)

// errLate keeps a request from beginning.
var errLate = errors.New("provider: it may not begin any more")

// errWritten keeps net/http from repeating a request.
var errWritten = errors.New("provider: a part of the request may have been written")

// attempt follows one request on its way. net/http calls back from its own
// goroutines, some of them after the request is over.
type attempt struct {
	// before is when it may not begin any more, by now; zero is no limit.
	before time.Time
	now    func() time.Time

	dialing atomic.Bool // a connection is, or was, being made for it
	got     atomic.Bool // it had a connection
	begun   atomic.Bool // net/http has begun to put it into its buffer
	wrote   atomic.Bool // a byte of it was, or may have been, written
	heard   atomic.Bool // bytes came after that
	early   atomic.Bool // its answer began before that
	late    atomic.Bool // it was not begun, because it may not any more
	conn    atomic.Pointer[conn]

	wait waiting
}

func (a *attempt) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:     func(httptrace.DNSStartInfo) { a.dialing.Store(true) },
		ConnectStart: func(string, string) { a.dialing.Store(true) },
		GetConn:      a.getConn,
		GotConn:      func(info httptrace.GotConnInfo) { a.use(info.Conn) },
		// The first header is in the buffer, and no buffer was full so far.
		WroteHeaderField: func(string, []string) { a.begun.Store(true) },
		// An answer that lay in the buffer before the request went out is the
		// tail of an earlier one. Taken for this one's, it would make a message
		// "sent" that nobody has read.
		GotFirstResponseByte: func() { a.early.Store(!a.wrote.Load() || !a.heard.Load()) },
	}
}

// tooLate reports whether it may not begin any more.
func (a *attempt) tooLate() bool {
	gaveUp := a.wait.phase.Load() == gaveUpConn
	if !gaveUp && (a.before.IsZero() || a.now().Before(a.before)) {
		return false
	}
	a.late.Store(true)
	return true
}

// use takes note of the connection. There is a second one only if nothing was
// written on the first.
func (a *attempt) use(c net.Conn) {
	a.wait.phase.CompareAndSwap(waitingForConn, hasConn)
	a.got.Store(true)
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	ours, ok := c.(*conn)
	if !ok { // not one whose writes are seen: assume the worst
		a.wrote.Store(true)
		a.heard.Store(true)
		return
	}
	if before := a.conn.Swap(ours); before != nil {
		before.serves.CompareAndSwap(a, nil)
	}
	ours.serves.Store(a)
}

// failed classifies a request without an answer. The caller's context and the
// call's own, which ends with the timeout too, tell who ran out of time.
//
// By then nothing is being written any more: net/http waits for its writer
// before it returns an error.
func (a *attempt) failed(caller, call context.Context, err error) mailing.Outcome {
	switch {
	case a.wrote.Load():
		return ambiguous(broken(caller, call, err))
	case a.late.Load():
		return notTried("too_late")
	case a.got.Load() && call.Err() == nil:
		return retry("closed")
	case call.Err() == nil:
		return retry(unconnected(err))
	case caller.Err() == nil && a.dialing.Load() && !a.got.Load():
		return retry("connect_timeout")
	case caller.Err() == nil && !a.got.Load():
		return notTried("no_connection")
	default:
		return notTried("not_tried")
	}
}

// broken names what broke a request, or its answer, off.
func broken(caller, call context.Context, err error) string {
	switch {
	case errors.Is(caller.Err(), context.Canceled):
		return "cancelled"
	case call.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), serverClosed(err):
		return "cut"
	default:
		return "bad_answer"
	}
}

// serverClosed recognizes net/http's unexported error for a kept connection
// that ended as it was used again.
func serverClosed(err error) bool { return err.Error() == "http: server closed idle connection" }

// unconnected names why there is no connection.
func unconnected(err error) string {
	var (
		dns         *net.DNSError
		op          *net.OpError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		hostname    x509.HostnameError
		timeout     net.Error
	)
	switch {
	case errors.As(err, &dns):
		return "dns"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "connect_timeout"
	case errors.As(err, &record), errors.As(err, &alert), errors.As(err, &certificate),
		errors.As(err, &authority), errors.As(err, &hostname):
		return "tls"
	case errors.As(err, &op) && op.Op == "dial":
		return "unreachable"
	default: // the TCP connection was there: it broke within the handshake
		return "tls"
	}
}
