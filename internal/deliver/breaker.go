package deliver

import (
	"log/slog"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// The breaker opens when, of at least breakerCalls calls within breakerWindow,
// at least half failed; it stays open for [mailing.ParkTime].
const (
	breakerCalls  = 20
	breakerWindow = 10 // seconds
)

// phase is what a breaker lets through.
type phase uint8

const (
	// closed: everything.
	closed phase = iota
	// open: nothing.
	open
	// halfOpen: one message, which tells how it goes on.
	halfOpen
)

// breaker keeps the sending API's trouble from being met by every message: one
// per execution environment.
//
// It is our own because the known ones read the system's monotonic clock, which
// stands still while Lambda keeps an environment frozen, and cannot be given
// another.
type breaker struct {
	mu     sync.Mutex
	phase  phase
	opened time.Time
	// probing: the one message of a half-open breaker is under way.
	probing bool
	// turn counts the changes of phase: what was let through before the last
	// one says nothing about now.
	turn  int
	calls [breakerWindow]second
}

// second is how the calls that ended within one second went.
type second struct {
	at            int64
	calls, failed int
}

// at is the breaker's phase.
func (b *breaker) at(now time.Time) phase {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.advance(now)
}

func (b *breaker) advance(now time.Time) phase {
	if b.phase == open && now.Sub(b.opened) >= mailing.ParkTime {
		b.change(halfOpen, now)
	}
	return b.phase
}

func (b *breaker) change(to phase, now time.Time) {
	b.phase, b.probing = to, false
	b.turn++
	b.calls = [breakerWindow]second{}
	switch to {
	case open:
		b.opened = now
		slog.Error("breaker opened: the sending API fails", "retry_in_s", mailing.ParkTime.Seconds())
	case halfOpen:
		slog.Info("breaker half open: one message probes the sending API")
	case closed:
		slog.Info("breaker closed: the sending API works")
	}
}

// begin asks to make a call. Each that may be made is to be ended with its
// ticket.
func (b *breaker) begin(now time.Time) (ticket int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.advance(now) {
	case open:
		return 0, false
	case halfOpen:
		if b.probing {
			return 0, false
		}
		b.probing = true
	case closed:
	}
	return b.turn, true
}

// end tells what a call came to.
func (b *breaker) end(ticket int, o mailing.Outcome, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ticket != b.turn {
		return
	}
	switch {
	case o.Kind == mailing.OutcomeMisconfigured:
		b.change(open, now)
	case o.Kind == mailing.OutcomeThrottled || o.Kind == mailing.OutcomeNotTried:
		b.probing = false // it says neither that the API works nor that it fails
	case b.phase == halfOpen && o.Valid():
		b.change(closed, now)
	case b.phase == halfOpen:
		b.change(open, now)
	default:
		b.count(!o.Valid(), now)
	}
}

func (b *breaker) count(failed bool, now time.Time) {
	at := now.Unix()
	s := &b.calls[at%breakerWindow]
	if s.at != at {
		*s = second{at: at}
	}
	s.calls++
	if !failed {
		return
	}
	s.failed++
	var all second
	for _, each := range b.calls {
		if at-each.at < breakerWindow {
			all.calls += each.calls
			all.failed += each.failed
		}
	}
	if all.calls >= breakerCalls && 2*all.failed >= all.calls {
		b.change(open, now)
	}
}
