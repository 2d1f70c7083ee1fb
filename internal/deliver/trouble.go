package deliver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// The breaker opens when, of at least breakerCalls calls within breakerWindow,
// at least half failed; or when breakerRow calls in a row failed, and there was
// no valid answer within breakerWindow. Without the latter, a busy sender whose
// calls fail one time in three would soon meet five failures in a row by chance.
const (
	breakerCalls  = 20
	breakerRow    = 5
	breakerWindow = 10 * time.Second
)

// outageFresh is how long it is trusted that the sending API works. That it is
// down is read again by each invocation.
const outageFresh = 5 * time.Second

// Outages is where all senders share whether the sending API is down.
type Outages interface {
	Outage(ctx context.Context) (mailing.Outage, error)
	SaveOutage(ctx context.Context, seen, next mailing.Outage) (bool, error)
}

// trouble is a circuit breaker whose state all senders share. Each sender counts
// its own calls; the first that finds the API down says so to all.
//
// It is our own because the known ones read the system's monotonic clock, which
// stands still while Lambda keeps an environment frozen, and share no state.
type trouble struct {
	store Outages
	now   func() time.Time

	mu    sync.Mutex
	known mailing.Outage
	// asked is when the reading of known began.
	asked time.Time
	// unsaved: this sender found the API down, and could not say so to others.
	unsaved bool
	// turn counts the changes of state: a call that began before the last one
	// says nothing about now.
	turn  int
	calls [breakerWindow / time.Second]second
	// row is how many calls in a row failed, valid when the last valid answer came.
	row   int
	valid time.Time
}

// second is how the calls that ended within one second went.
type second struct {
	at            int64
	calls, failed int
}

// permit allows one call to the sending API.
type permit struct {
	turn  int
	probe bool
}

// look reads the shared state for an invocation that has just begun. Where it
// cannot be read, the last known one holds.
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
	if unsaved && !read.Down() {
		t.begin(ctx, known.Since)
	}
}

// adopt takes over what was read or written at asked.
func (t *trouble) adopt(o mailing.Outage, asked time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o.Down() != t.known.Down() {
		t.turn++
		t.calls, t.row = [breakerWindow / time.Second]second{}, 0
	}
	t.known, t.asked, t.unsaved = o, asked, false
}

// down reports whether only probes are handed over, and shared whether the other
// senders and the scheduler know.
func (t *trouble) down() (down, shared bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known.Down(), !t.unsaved
}

// probeDue reports whether a probe may be made.
func (t *trouble) probeDue() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known.ProbeDue(t.now())
}

// may asks to make a call. While the API is down it allows a probe if one is
// due and no other sender makes it. Each call that it allows ends with [trouble.end].
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
	saved, err := t.store.SaveOutage(ctx, known, next)
	if err != nil {
		// Without the others' knowledge there is no telling how many probe at once.
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

// end counts what a call came to. It reports whether the call was a probe that
// found the API working again.
func (t *trouble) end(ctx context.Context, p permit, o mailing.Outcome) (recovered bool) {
	if p.probe {
		return o.Valid() && t.over(ctx)
	}
	if t.count(p.turn, o) {
		t.begin(ctx, t.now())
	}
	return false
}

// count reports whether the calls so far mean that the API is down.
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

// tally counts one call, and returns all those of the window.
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

// begin notes that the API is down, and says so to all senders.
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
		// Others have changed it meanwhile: once more on what it is now.
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

// over notes that the API works again, and says so to all.
func (t *trouble) over(ctx context.Context) bool {
	t.mu.Lock()
	seen := t.known
	t.mu.Unlock()
	now := t.now()
	next := seen.Over(now)
	if saved, err := t.store.SaveOutage(ctx, seen, next); err != nil || !saved {
		// The next probe finds out again.
		slog.ErrorContext(ctx, "say to all that the sending API works", "saved", saved, "error", err)
		return false
	}
	t.adopt(next, now)
	slog.InfoContext(ctx, "breaker closed: the sending API works", "down_since", seen.Since)
	return true
}

// within reports whether an age is less than limit. A negative one is not: the
// clock was set back, and what was read may be older than it seems.
func within(age, limit time.Duration) bool { return age >= 0 && age < limit }
