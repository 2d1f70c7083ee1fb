package deliver

import (
	"cmp"
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// minRequest is the least time that must be left until the mailing's end, or until the
// client's window closes, for a hand-over to begin. A request that takes less time than
// that arrives before that instant.
const minRequest = 250 * time.Millisecond

// handOver decides on all pending messages of a batch, and hands over those that may
// go, side by side. It returns when all requests have ended.
func (s *Sender) handOver(ctx context.Context, inv *invocation, w *work) {
	var wg sync.WaitGroup
	for _, r := range w.leastTriedFirst() {
		// While the sending API is down, no other hand-over is made during the probe.
		if down, _ := s.breaker.down(); down {
			s.handOverOne(ctx, inv, w, r, time.Time{})
			continue
		}
		if at, ok := s.reserve(ctx, inv, w, r); ok {
			wg.Go(func() { s.handOverOne(ctx, inv, w, r, at) })
		}
	}
	wg.Wait()
}

// leastTriedFirst returns the recipients whose messages are pending, the least tried ones
// first. So each probe of an outage hands over a different message, until all have been
// tried.
func (w *work) leastTriedFirst() []*recipient {
	pending := w.pending()
	slices.SortStableFunc(pending, func(a, b *recipient) int {
		return cmp.Or(cmp.Compare(a.state.Uncertain, b.state.Uncertain), cmp.Compare(a.state.Attempts, b.state.Attempts))
	})
	return pending
}

// reserve returns the instant at which the rate limit lets a message be handed over, or
// the zero time if there is no limit. It reserves for one batch after the other, so that a
// batch's clients seldom have to be read again. A message that may not be handed over now
// reserves nothing. ok is false if the message is not handed over in this invocation;
// r.state and r.wait then say why.
func (s *Sender) reserve(ctx context.Context, inv *invocation, w *work, r *recipient) (at time.Time, ok bool) {
	if !s.limiter.limited() {
		return time.Time{}, true
	}
	if _, ok := s.decide(ctx, w, r); !ok {
		return time.Time{}, false
	}
	now := s.now()
	wait, ok := s.limiter.reserve(now, inv.until.Add(-s.config.ProviderTimeout))
	return now.Add(wait), ok
}

// handOverOne waits until at, decides on a message, and hands it over if the decision
// allows that. If at is zero, it does not wait. It decides again whenever the decision has
// become too old before the request begins. No other goroutine changes r.
func (s *Sender) handOverOne(ctx context.Context, inv *invocation, w *work, r *recipient, at time.Time) {
	if !s.acquireSlot(ctx, inv, at) {
		return
	}
	defer s.inFlight.Release(1)
	for first := s.now(); ; {
		h, ok := s.decide(ctx, w, r)
		if !ok {
			return
		}
		// The request must end before the time for settling begins.
		if s.now().Add(s.config.ProviderTimeout).After(inv.until) {
			return
		}
		if !s.now().Before(h.Before) {
			continue // the reading took so long that the decision is already too old
		}
		allowed, ok := s.breaker.acquire(ctx)
		if !ok {
			r.wait = mailing.Wait{Kind: mailing.WaitProvider, Until: s.now().Add(mailing.ParkTime)}
			return
		}
		begun := s.now()
		o := s.send(ctx, h)
		ended := s.now()
		expired := o.Kind == mailing.OutcomeNotTried && !ended.Before(h.Before)
		waited := ended.Sub(first) >= s.config.ProviderTimeout
		// No connection for ProviderTimeout: the breaker must count that as a failure.
		if expired && waited {
			o = mailing.Outcome{Kind: mailing.OutcomeRetry, Code: "connect_timeout"}
		}
		if s.breaker.record(ctx, allowed, o) {
			s.requestSweep(ctx)
		}
		if expired && !waited {
			// The decision became too old while the request waited for a connection.
			continue
		}
		r.outcome = o
		if o.Kind != mailing.OutcomeNotTried {
			r.begun, r.took = begun, ended.Sub(begun)
		}
		return
	}
}

// requestSweep asks for a sweep at the end of an outage. This sweep queues the waiting
// batches. Otherwise the sweep of the next minute would queue them.
func (s *Sender) requestSweep(ctx context.Context) {
	if err := s.sweeps.QueueSweep(ctx); err != nil {
		slog.WarnContext(ctx, "request a sweep after an outage", "error", err)
	}
}

// acquireSlot waits until at, and then for one of the MaxInFlight places. It reports false
// if no place is free before inv.until. Otherwise the caller has to release the place.
func (s *Sender) acquireSlot(ctx context.Context, inv *invocation, at time.Time) bool {
	if wait := at.Sub(s.now()); wait > 0 && s.sleep(ctx, wait) != nil {
		return false
	}
	waiting, cancel := context.WithTimeout(ctx, inv.until.Sub(s.now()))
	defer cancel()
	return s.inFlight.Acquire(waiting, 1) == nil
}

// decide decides on a message by a mailing and a client that were read at most freshFor
// ago. If ok is false, the message is not handed over now; r.state and r.wait then say
// what happens to it. The hand-over must begin before h.Before, which is at most
// [mailing.Trust] after the reading. After that the message needs a new decision.
func (s *Sender) decide(ctx context.Context, w *work, r *recipient) (h mailing.Handover, ok bool) {
	rec, id := r.state, w.messageID(r)
	m, client, readAt, err := s.facts(ctx, w, rec.Client)
	if err != nil {
		slog.ErrorContext(ctx, "read the mailing and the client of a hand-over",
			"mailing_id", w.mailing(), "message_id", id, "error", err)
		return h, false
	}
	r.generation, r.untouched = m.Generation, m.Untouched()
	if rec.Status == mailing.Deferred && m.Generation > w.batch.Generation {
		rec.NotBefore = time.Time{} // the opening of a window that was edited since
	}
	now := s.now()
	d := mailing.Decide(m, client, rec, now)
	// Too little time is left: decide as if the end, or the window's close, had come.
	if d.Action == mailing.Send && d.Until.Sub(now) < minRequest {
		d = mailing.Decide(m, client, rec, d.Until)
	}
	switch d.Action {
	case mailing.Send:
		before := readAt.Add(mailing.Trust)
		if d.Until.Before(before) {
			before = d.Until
		}
		return mailing.Handover{ID: id, Phone: client.Phone, Text: m.Text, Before: before}, true
	case mailing.Defer:
		r.wait = mailing.Wait{Kind: mailing.WaitUntil, Until: d.Until}
	case mailing.Later:
		r.wait = mailing.Wait{Kind: mailing.WaitLater, Until: d.Until}
	case mailing.Hold:
		r.wait = mailing.Wait{Kind: mailing.WaitResume}
	case mailing.Finish:
	}
	r.state = rec.Decided(d, now)
	return h, false
}

// facts returns the mailing and the client by which a message is decided. readAt is when
// the older of their two readings began. client is nil if the client was deleted.
func (s *Sender) facts(
	ctx context.Context, w *work, id mailing.ClientID,
) (m mailing.Mailing, client *mailing.Client, readAt time.Time, err error) {
	m, readAt, err = s.mailings.get(ctx, w.mailing())
	if err == nil && w.batch.Test == nil && m.Generation < w.batch.Generation {
		// Another sender has settled this batch by a newer mailing than the cached one.
		m, readAt, err = s.mailings.reload(ctx, w.mailing())
	}
	if err != nil {
		return m, nil, readAt, err
	}
	client, clientReadAt, err := s.client(ctx, w, id)
	if clientReadAt.Before(readAt) {
		readAt = clientReadAt
	}
	return w.decidedBy(m), client, readAt, err
}

// send hands one message over, within ProviderTimeout. A panic makes the outcome of
// this message ambiguous, and affects no other message.
func (s *Sender) send(ctx context.Context, h mailing.Handover) (o mailing.Outcome) {
	ctx, cancel := context.WithTimeout(ctx, s.config.ProviderTimeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			slog.ErrorContext(ctx, "panic during a hand-over",
				"mailing_id", h.ID.Mailing(), "message_id", h.ID, "stack", string(debug.Stack()))
			o = mailing.Outcome{Kind: mailing.OutcomeAmbiguous, Code: "panic"}
		}
	}()
	o = s.provider.Send(ctx, h)
	if o.Valid() {
		s.health.answered(s.now())
	}
	return o
}

// healthyFor is how long after a valid answer the sending API is assumed to work.
const healthyFor = 5 * time.Minute

// health holds when this environment last had a valid answer. It is safe for concurrent
// use.
type health struct {
	mu   sync.Mutex
	last time.Time
}

func (h *health) answered(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.After(h.last) {
		h.last = now
	}
}

// works reports whether the sending API is assumed to work at now. If so, a failed attempt
// is charged to the message. Otherwise the API is taken for the cause.
func (h *health) works(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.last.IsZero() && within(now.Sub(h.last), healthyFor)
}
