package deliver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// The breaker opens if at least breakerCalls calls ended within breakerWindow and at
// least half of them failed. It also opens if breakerRow calls in a row failed and no
// valid answer came within breakerWindow. Without the latter condition, a busy sender
// whose calls fail one time in three would soon meet five failures in a row by chance.
const (
	breakerCalls  = 20
	breakerRow    = 5
	breakerWindow = 10 * time.Second
)

// outageFresh is how long a reading is trusted that says that the sending API works.
// While the API is down, each invocation reads that again.
const outageFresh = 5 * time.Second

// Outages is the storage by which all senders share whether the sending API is down.
type Outages interface {
	Outage(ctx context.Context) (mailing.Outage, error)
	// SaveOutage replaces seen by next. It reports false if seen is not stored any
	// more.
	SaveOutage(ctx context.Context, seen, next mailing.Outage) (bool, error)
}

// trouble is a circuit breaker whose state all senders share. Each sender counts its
// own calls; the first sender that finds the API down writes that for all. It is safe
// for concurrent use.
//
// Known circuit breakers do not fit: they share no state, and they read the system's
// monotonic clock, which stands still while Lambda keeps an environment frozen.
type trouble struct {
	store Outages
	now   func() time.Time

	mu    sync.Mutex
	known mailing.Outage
	// asked is the instant at which the reading of known began.
	asked time.Time
	// unsaved is true if this sender could not write that the API is down.
	unsaved bool
	// turn counts the changes of state. A call that began before the last change is not
	// counted: it says nothing about the present state.
	turn  int
	calls [breakerWindow / time.Second]second
	// row is how many calls in a row failed, valid is when the last valid answer came.
	row   int
	valid time.Time
}

// second counts the calls that ended within one second of Unix time (at).
type second struct {
	at            int64
	calls, failed int
}

// permit allows one call to the sending API.
type permit struct {
	turn  int
	probe bool
}

// look reads the shared state for an invocation that has just begun. If it cannot be
// read, the last known state stays in use.
func (t *trouble) look(ctx context.Context) {
	t.mu.Lock()
	known, asked, unsaved := t.known, t.asked, t.unsaved
	t.mu.Unlock()
	now := t.now()
	if !known.Down() && within(now.Sub(asked), outageFresh) && !asked.IsZero() {
		return
	}
	read, err := t.store.Outage(ctx)
	if err != nil {
		slog.ErrorContext(ctx, "read whether the sending API is down", "error", err)
		return
	}
	t.adopt(read, now)
	// The outage could not be written before.
	if unsaved && !read.Down() {
		t.begin(ctx, known.Since)
	}
}

// adopt takes over a state that was read or written at asked. If the API is down now
// and was not before, or the reverse, the counts of calls begin again.
func (t *trouble) adopt(o mailing.Outage, asked time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o.Down() != t.known.Down() {
		t.turn++
		t.calls, t.row = [breakerWindow / time.Second]second{}, 0
	}
	t.known, t.asked, t.unsaved = o, asked, false
}

// down reports whether only probes are handed over. shared reports whether the other
// senders and the scheduler know the same.
func (t *trouble) down() (down, shared bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known.Down(), !t.unsaved
}

func (t *trouble) probeDue() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known.ProbeDue(t.now())
}

// may asks for a permit to make a call. While the API is down, it gives one for a
// probe, if a probe is due and no other sender makes it. Each permitted call ends with
// [trouble.end].
func (t *trouble) may(ctx context.Context) (permit, bool) {
	t.mu.Lock()
	known, turn, due := t.known, t.turn, t.known.ProbeDue(t.now())
	t.mu.Unlock()
	if !known.Down() {
		return permit{turn: turn}, true
	}
	if !due {
		return permit{}, false
	}
	now := t.now()
	next := known.Probed(now)
	// The write is conditional: of all senders that find the probe due, one succeeds.
	saved, err := t.store.SaveOutage(ctx, known, next)
	if err != nil {
		// Without the shared state, any number of senders might probe at the same time.
		slog.ErrorContext(ctx, "begin a probe of the sending API", "error", err)
		return permit{}, false
	}
	if !saved {
		t.look(ctx)
		return permit{}, false
	}
	t.adopt(next, now)
	slog.InfoContext(ctx, "one message probes the sending API", "probes", next.Probes, "down_since", next.Since)
	return permit{turn: turn, probe: true}, true
}

// end counts the outcome of a permitted call. It reports whether the call was a probe
// that found the API working again.
func (t *trouble) end(ctx context.Context, p permit, o mailing.Outcome) (recovered bool) {
	if p.probe {
		return o.Valid() && t.over(ctx)
	}
	if t.count(p.turn, o) {
		t.begin(ctx, t.now())
	}
	return false
}

// count counts the outcome of a call, and reports whether the calls so far mean that
// the API is down.
func (t *trouble) count(turn int, o mailing.Outcome) (trips bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	switch {
	case turn != t.turn || t.known.Down():
		return false
	case o.Kind == mailing.OutcomeMisconfigured:
		return true
	case o.Kind == mailing.OutcomeThrottled || o.Kind == mailing.OutcomeNotTried:
		return false // neither says that the API works, nor that it fails
	case o.Valid():
		t.row, t.valid = 0, now
	default:
		t.row++
	}
	all := t.tally(!o.Valid(), now)
	if o.Valid() {
		return false
	}
	if t.row >= breakerRow && (t.valid.IsZero() || !within(now.Sub(t.valid), breakerWindow)) {
		return true
	}
	return all.calls >= breakerCalls && 2*all.failed >= all.calls
}

// tally counts one call in the ring of seconds, and returns the sum over the window.
// The caller holds t.mu.
func (t *trouble) tally(failed bool, now time.Time) (all second) {
	s := &t.calls[now.Unix()%int64(len(t.calls))]
	if s.at != now.Unix() {
		*s = second{at: now.Unix()}
	}
	s.calls++
	if failed {
		s.failed++
	}
	for _, each := range t.calls {
		if age := now.Unix() - each.at; age >= 0 && age < int64(len(t.calls)) {
			all.calls += each.calls
			all.failed += each.failed
		}
	}
	return all
}

// begin notes that the API is down, and writes that for all senders. This sender acts
// on it at once, even if the write fails.
func (t *trouble) begin(ctx context.Context, since time.Time) {
	t.mu.Lock()
	seen := t.known
	t.mu.Unlock()
	if seen.Down() {
		return
	}
	next := seen.Begun(since)
	t.adopt(next, since)
	slog.ErrorContext(ctx, "breaker opened: the sending API fails", "next_probe", next.ProbeAt)
	saved, err := t.store.SaveOutage(ctx, seen, next)
	if err == nil && !saved {
		// Another sender has changed the stored state: try once more on the new one.
		if seen, err = t.store.Outage(ctx); err == nil {
			if next = seen.Begun(since); !seen.Down() {
				saved, err = t.store.SaveOutage(ctx, seen, next)
			} else {
				saved = true
			}
		}
	}
	if err != nil || !saved {
		slog.ErrorContext(ctx, "say to all senders that the sending API is down", "saved", saved, "error", err)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.unsaved = true
		return
	}
	t.adopt(next, since)
}

// over notes that the API works again, and writes that for all senders. It reports
// whether the write succeeded.
func (t *trouble) over(ctx context.Context) bool {
	t.mu.Lock()
	seen := t.known
	t.mu.Unlock()
	now := t.now()
	next := seen.Over(now)
	if saved, err := t.store.SaveOutage(ctx, seen, next); err != nil || !saved {
		// The outage goes on then, until the next probe finds the same.
		slog.ErrorContext(ctx, "say to all that the sending API works", "saved", saved, "error", err)
		return false
	}
	t.adopt(next, now)
	slog.InfoContext(ctx, "breaker closed: the sending API works", "down_since", seen.Since)
	return true
}

// within reports whether an age is less than limit. A negative age is not: the clock
// was set back, and the reading may be older than it seems.
func within(age, limit time.Duration) bool { return age >= 0 && age < limit }
