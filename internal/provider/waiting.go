package provider

import (
	"context"
	"sync/atomic"
	"time"
)

// What a request's wait for a connection has come to.
const (
	waitingForConn int32 = iota // it has none; the beginning
	hasConn
	gaveUpConn // it may not begin any more: it takes none
)

// waiting is a request's wait for a connection, which ends when the request may
// not begin any more. A request that has its connection is not disturbed by it.
type waiting struct {
	phase   atomic.Int32
	expired atomic.Bool
	giveUp  context.CancelFunc
}

// until returns a context that ends when the request may not begin any more and
// has no connection by then, and a function that ends the watch. It measures the
// time until before by the real clock, whatever clock says how long that is.
//
// net/http detaches a dial from its request: it goes on when the request is
// given up, and the connection is kept for the next request, or taken by one
// that waits already.
func (a *attempt) until(ctx context.Context) (context.Context, func()) {
	if a.before.IsZero() {
		return ctx, func() {}
	}
	ctx, a.wait.giveUp = context.WithCancel(ctx)
	left := a.before.Sub(a.now())
	if left <= 0 {
		a.expire() // before a connection that is kept is taken, and lost by it
		return ctx, a.wait.giveUp
	}
	timer := time.AfterFunc(left, a.expire)
	return ctx, func() {
		timer.Stop()
		a.wait.giveUp()
	}
}

// expire notes that the request may not begin any more.
func (a *attempt) expire() {
	a.wait.expired.Store(true)
	a.giveUpConn()
}

// giveUpConn ends the wait for a connection, if there is none yet.
func (a *attempt) giveUpConn() {
	if a.wait.phase.CompareAndSwap(waitingForConn, gaveUpConn) {
		a.late.Store(true)
		a.wait.giveUp()
	}
}

// getConn notes that net/http looks for a connection: for the first one, or for
// another where nothing could be written on the one before.
func (a *attempt) getConn(string) {
	a.wait.phase.CompareAndSwap(hasConn, waitingForConn)
	if a.wait.expired.Load() {
		a.giveUpConn()
	}
}
