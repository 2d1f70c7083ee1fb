package provider

import (
	"context"
	"sync/atomic"
	"time"
)

// The phases of a request's wait for a connection.
const (
	waitingForConn int32 = iota // it has none yet; the first phase
	hasConn
	gaveUpConn // it may not begin any more, and takes no connection
)

// waiting is a request's wait for a connection. It ends when the request may not begin
// any more. It does not disturb a request that has its connection.
type waiting struct {
	phase   atomic.Int32
	expired atomic.Bool
	giveUp  context.CancelFunc
}

// connectContext returns a context that ends when the request may not begin any more and
// still has no connection, and a function that releases the context and its timer. The
// time left until a.before is computed with a.now, and then measured by the real clock.
//
// net/http detaches a dial from its request. The dial goes on when the request is given
// up, and its connection is kept for the next request, or taken by a request that
// already waits.
func (a *attempt) connectContext(ctx context.Context) (context.Context, func()) {
	if a.before.IsZero() {
		return ctx, func() {}
	}
	ctx, a.wait.giveUp = context.WithCancel(ctx)
	left := a.before.Sub(a.now())
	if left <= 0 {
		a.expire() // before net/http takes a kept connection, which would be lost
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

// giveUpConn ends the wait for a connection, if the request has none yet.
func (a *attempt) giveUpConn() {
	if a.wait.phase.CompareAndSwap(waitingForConn, gaveUpConn) {
		a.late.Store(true)
		a.wait.giveUp()
	}
}

// getConn notes that net/http looks for a connection: the first one, or another one if
// nothing could be written on the one before.
func (a *attempt) getConn(string) {
	a.wait.phase.CompareAndSwap(hasConn, waitingForConn)
	if a.wait.expired.Load() {
		a.giveUpConn()
	}
}
