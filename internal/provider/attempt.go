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

// errTooLate prevents a request from beginning after its last instant.
var errTooLate = errors.New("provider: the request may not begin any more")

// errWritten prevents net/http from repeating a request.
var errWritten = errors.New("provider: a part of the request may have been written")

// attempt follows one request. net/http calls its methods from its own goroutines, some
// of them after the request is over.
type attempt struct {
	// before is the instant, by now, from which the request may not begin any more; the
	// zero time is no limit.
	before time.Time
	now    func() time.Time

	dialing   atomic.Bool // a connection is or was being made for the request
	connected atomic.Bool // it has had a connection
	begun     atomic.Bool // net/http has begun to write the request into its buffer
	wrote     atomic.Bool // a byte of it was or may have been written
	readAfter atomic.Bool // bytes arrived after wrote was set
	// unsolicited is set if the answer began before wrote or readAfter was set.
	unsolicited atomic.Bool
	late        atomic.Bool // it was not begun, because it was too late
	conn        atomic.Pointer[conn]

	wait waiting
}

func (a *attempt) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:     func(httptrace.DNSStartInfo) { a.dialing.Store(true) },
		ConnectStart: func(string, string) { a.dialing.Store(true) },
		GetConn:      a.getConn,
		GotConn:      func(info httptrace.GotConnInfo) { a.gotConn(info.Conn) },
		// The first header is in the buffer now. Nothing was written before: the buffer
		// was not full.
		WroteHeaderField: func(string, []string) { a.begun.Store(true) },
		// An answer that was in the buffer before the request went out is the rest of
		// an earlier one. If it counted for this request, a message that the API has
		// never read would become "sent".
		GotFirstResponseByte: func() { a.unsolicited.Store(!a.wrote.Load() || !a.readAfter.Load()) },
	}
}

// tooLate reports whether the request may not begin any more.
func (a *attempt) tooLate() bool {
	gaveUp := a.wait.phase.Load() == gaveUpConn
	if !gaveUp && (a.before.IsZero() || a.now().Before(a.before)) {
		return false
	}
	a.late.Store(true)
	return true
}

// gotConn notes the connection that the request has. net/http takes a second connection
// only if nothing was written on the first.
func (a *attempt) gotConn(c net.Conn) {
	a.wait.phase.CompareAndSwap(waitingForConn, hasConn)
	a.connected.Store(true)
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	ours, ok := c.(*conn)
	if !ok { // its writes cannot be seen: assume that bytes were written
		a.wrote.Store(true)
		a.readAfter.Store(true)
		return
	}
	if before := a.conn.Swap(ours); before != nil {
		before.attempt.CompareAndSwap(a, nil)
	}
	ours.attempt.Store(a)
}

// outcome returns the outcome of a request without an answer. caller is the caller's
// context; call is derived from it and also ends with the timeout. Together they show
// whether the caller gave up or the timeout has passed.
//
// Nothing is being written any more at this point: net/http waits for its writer before
// it returns an error.
func (a *attempt) outcome(caller, call context.Context, err error) mailing.Outcome {
	switch {
	case a.wrote.Load():
		return ambiguous(brokenCode(caller, call, err))
	case a.late.Load():
		return notTried("too_late")
	case a.connected.Load() && call.Err() == nil:
		return retry("closed")
	case call.Err() == nil:
		return retry(connectCode(err))
	case caller.Err() == nil && a.dialing.Load() && !a.connected.Load():
		return retry("connect_timeout")
	case caller.Err() == nil && !a.connected.Load():
		return notTried("no_connection")
	default:
		return notTried("not_tried")
	}
}

// brokenCode returns the code of an interruption of a request or its answer.
func brokenCode(caller, call context.Context, err error) string {
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

// serverClosed reports whether err is net/http's unexported error for a kept connection
// that ended when it was used again.
func serverClosed(err error) bool { return err.Error() == "http: server closed idle connection" }

// connectCode returns the code of the reason why there is no connection.
func connectCode(err error) string {
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
	default: // the TCP connection was made, and broke during the TLS handshake
		return "tls"
	}
}
