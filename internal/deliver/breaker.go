package deliver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// The breaker opens if at least breakerCalls calls ended within breakerWindow and at
// least half of them failed. It also opens if breakerFailures calls in a row failed and
// no valid answer came within breakerWindow. Without the latter condition, a busy sender
// whose calls fail one time in three would soon meet five failures in a row by chance.
const (
	breakerCalls    = 20
	breakerFailures = 5
	breakerWindow   = 10 * time.Second
)

// outageFresh is how long a reading is trusted if it says that the sending API works.
// While the API is down, each invocation reads the state again.
const outageFresh = 5 * time.Second

// Outages stores the outage of the sending API, which all senders share.
type Outages interface {
	Outage(ctx context.Context) (mailing.Outage, error)
	// SaveOutage replaces seen by next. It reports false if seen is not stored any
	// more.
	SaveOutage(ctx context.Context, seen, next mailing.Outage) (bool, error)
}

// breaker is a circuit breaker whose state all senders share. Each sender counts its own
// calls. The first sender that finds the API down stores the outage for all senders. A
// breaker is safe for concurrent use.
//
// Published circuit breakers do not fit: they share no state, and they read the system's
// monotonic clock, which stands still while Lambda keeps an environment frozen.
type breaker struct {
	store Outages
	now   func() time.Time

	mu     sync.Mutex
	outage mailing.Outage
	// readAt is the instant at which the reading of outage began.
	readAt time.Time
	// unsaved is true if this sender found the API down and could not store the outage.
	unsaved bool
	// epoch counts the beginnings and ends of outages. A call that began before the last
	// of them is not counted: it says nothing about the present state.
	epoch  int
	window callWindow
	// failures is how many calls in a row failed. lastValid is when the last valid answer
	// came.
	failures  int
	lastValid time.Time
}

// callWindow counts the calls of the last breakerWindow. It is a ring with one place for
// each second.
type callWindow [breakerWindow / time.Second]secondCounts

// secondCounts counts the calls that ended within one second of Unix time.
type secondCounts struct {
	second        int64
	calls, failed int
}

// permit allows one call to the sending API.
type permit struct {
	epoch int
	probe bool
}

// refresh reads the shared state again, unless a reading of the last outageFresh says that
// the API works. If the state cannot be read, the last known state stays in use.
func (b *breaker) refresh(ctx context.Context) {
	b.mu.Lock()
	known, readAt, unsaved := b.outage, b.readAt, b.unsaved
	b.mu.Unlock()
	now := b.now()
	if !known.Down() && within(now.Sub(readAt), outageFresh) && !readAt.IsZero() {
		return
	}
	stored, err := b.store.Outage(ctx)
	if err != nil {
		slog.ErrorContext(ctx, "read whether the sending API is down", "error", err)
		return
	}
	b.setOutage(stored, now)
	// This sender could not store its outage before. It tries again.
	if unsaved && !stored.Down() {
		b.open(ctx, known.Since)
	}
}

// setOutage sets the state to one that was read or written at readAt. If an outage begins
// or ends with it, the counts of calls begin again.
func (b *breaker) setOutage(o mailing.Outage, readAt time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o.Down() != b.outage.Down() {
		b.epoch++
		b.window, b.failures = callWindow{}, 0
	}
	b.outage, b.readAt, b.unsaved = o, readAt, false
}

// down reports whether only probes are handed over. shared reports whether the other
// senders and the scheduler can read the same state.
func (b *breaker) down() (down, shared bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.outage.Down(), !b.unsaved
}

func (b *breaker) probeDue() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.outage.ProbeDue(b.now())
}

// acquire returns a permit for one call, or false if no call may be made. While the API is
// down, only a probe is permitted, if it is due and no other sender makes it. The caller
// passes the outcome of each permitted call to [breaker.record].
func (b *breaker) acquire(ctx context.Context) (permit, bool) {
	b.mu.Lock()
	known, epoch, due := b.outage, b.epoch, b.outage.ProbeDue(b.now())
	b.mu.Unlock()
	if !known.Down() {
		return permit{epoch: epoch}, true
	}
	if !due {
		return permit{}, false
	}
	now := b.now()
	next := known.Probed(now)
	// The write is conditional: of all senders that find the probe due, one succeeds.
	saved, err := b.store.SaveOutage(ctx, known, next)
	if err != nil {
		// Without the shared state, any number of senders might probe at the same time.
		slog.ErrorContext(ctx, "begin a probe of the sending API", "error", err)
		return permit{}, false
	}
	if !saved {
		b.refresh(ctx)
		return permit{}, false
	}
	b.setOutage(next, now)
	slog.InfoContext(ctx, "probe of the sending API", "probes", next.Probes, "down_since", next.Since)
	return permit{epoch: epoch, probe: true}, true
}

// record counts the outcome of a permitted call. It reports whether the call was a probe
// that found the API working again.
func (b *breaker) record(ctx context.Context, p permit, o mailing.Outcome) (recovered bool) {
	if p.probe {
		return o.Valid() && b.close(ctx)
	}
	if b.count(p.epoch, o) {
		b.open(ctx, b.now())
	}
	return false
}

// count counts the outcome of a call, and reports whether the calls so far mean that
// the API is down.
func (b *breaker) count(epoch int, o mailing.Outcome) (trips bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	switch {
	case epoch != b.epoch || b.outage.Down():
		return false
	case o.Kind == mailing.OutcomeMisconfigured:
		return true
	case o.Kind == mailing.OutcomeThrottled || o.Kind == mailing.OutcomeNotTried:
		return false // it does not show whether the API works
	case o.Valid():
		b.failures, b.lastValid = 0, now
	default:
		b.failures++
	}
	sum := b.window.add(!o.Valid(), now)
	if o.Valid() {
		return false
	}
	if b.failures >= breakerFailures && (b.lastValid.IsZero() || !within(now.Sub(b.lastValid), breakerWindow)) {
		return true
	}
	return sum.calls >= breakerCalls && 2*sum.failed >= sum.calls
}

// add counts one call that ended at now, and returns the sum over the window.
func (w *callWindow) add(failed bool, now time.Time) (sum secondCounts) {
	current := &w[now.Unix()%int64(len(w))]
	if current.second != now.Unix() {
		*current = secondCounts{second: now.Unix()}
	}
	current.calls++
	if failed {
		current.failed++
	}
	for _, s := range w {
		if age := now.Unix() - s.second; age >= 0 && age < int64(len(w)) {
			sum.calls += s.calls
			sum.failed += s.failed
		}
	}
	return sum
}

// open begins an outage, and stores it for all senders. This sender acts on the outage at
// once, even if the write fails.
func (b *breaker) open(ctx context.Context, since time.Time) {
	b.mu.Lock()
	seen := b.outage
	b.mu.Unlock()
	if seen.Down() {
		return
	}
	next := seen.Begun(since)
	b.setOutage(next, since)
	slog.ErrorContext(ctx, "breaker opened: the sending API fails", "next_probe", next.ProbeAt)
	saved, err := b.store.SaveOutage(ctx, seen, next)
	if err == nil && !saved {
		// Another sender has changed the stored state: read it, and try once more.
		if seen, err = b.store.Outage(ctx); err == nil {
			next = seen.Begun(since)
			if saved = seen.Down(); !saved {
				saved, err = b.store.SaveOutage(ctx, seen, next)
			}
		}
	}
	if err != nil || !saved {
		slog.ErrorContext(ctx, "store that the sending API is down", "saved", saved, "error", err)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.unsaved = true
		return
	}
	b.setOutage(next, since)
}

// close ends the outage for all senders. It reports whether the write succeeded.
func (b *breaker) close(ctx context.Context) bool {
	b.mu.Lock()
	seen := b.outage
	b.mu.Unlock()
	now := b.now()
	next := seen.Over(now)
	if saved, err := b.store.SaveOutage(ctx, seen, next); err != nil || !saved {
		// The outage then continues until the next probe has a valid answer.
		slog.ErrorContext(ctx, "store that the sending API works", "saved", saved, "error", err)
		return false
	}
	b.setOutage(next, now)
	slog.InfoContext(ctx, "breaker closed: the sending API works", "down_since", seen.Since)
	return true
}

// within reports whether age is at least 0 and less than limit. If age is negative, the
// clock was set back, and the reading may be older than it seems.
func within(age, limit time.Duration) bool { return age >= 0 && age < limit }
