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

// minRequest is the least time before its mailing's end, or its window's close,
// in which a hand-over is begun: so that none arrives after it.
const minRequest = 250 * time.Millisecond

// handOver decides on all pending members of a batch, and hands over those that
// may go, side by side. It returns when all requests have ended.
func (s *Sender) handOver(ctx context.Context, inv *invocation, w *work) {
	var wg sync.WaitGroup
	for _, i := range w.order() {
		// While the sending API is down, nothing goes beside the message that probes.
		if down, _ := s.trouble.down(); down {
			s.one(ctx, inv, w, i, time.Time{})
			continue
		}
		if turn, ok := s.turn(ctx, inv, w, i); ok {
			wg.Go(func() { s.one(ctx, inv, w, i, turn) })
		}
	}
	wg.Wait()
}

// order returns the places of the pending members, those first that were tried
// least: each probe of an outage is another message, as far as there are others.
func (w *work) order() []int {
	var places []int
	for i, mem := range w.members {
		if mem.Status.Pending() {
			places = append(places, i)
		}
	}
	slices.SortStableFunc(places, func(a, b int) int {
		return cmp.Or(cmp.Compare(w.members[a].Uncertain, w.members[b].Uncertain), cmp.Compare(w.members[a].Attempts, w.members[b].Attempts))
	})
	return places
}

// turn returns when a member has its turn. Members take theirs batch by batch, so
// that what is read for a batch is read seldom. One that does not go anyway
// takes none from the others.
func (s *Sender) turn(ctx context.Context, inv *invocation, w *work, i int) (at time.Time, ok bool) {
	if !s.pace.limited() {
		return time.Time{}, true
	}
	if _, ok := s.decide(ctx, w, i); !ok {
		return time.Time{}, false
	}
	now := s.now()
	wait, ok := s.pace.next(now, inv.until.Add(-s.config.ProviderTimeout))
	if !ok {
		w.waits[i] = mailing.Wait{Kind: mailing.WaitTurn}
	}
	return now.Add(wait), ok
}

// one takes one member through its turn, at an instant. No other goroutine uses
// the member's places.
func (s *Sender) one(ctx context.Context, inv *invocation, w *work, i int, at time.Time) {
	if !s.await(ctx, inv, at) {
		w.waits[i] = mailing.Wait{Kind: mailing.WaitTurn}
		return
	}
	defer s.inFlight.Release(1)
	for first := s.now(); ; {
		h, ok := s.decide(ctx, w, i)
		if !ok {
			return
		}
		if s.now().Add(s.config.ProviderTimeout).After(inv.until) {
			w.waits[i] = mailing.Wait{Kind: mailing.WaitTurn}
			return
		}
		if !s.now().Before(h.Before) {
			continue // reading took so long that the decision is old already
		}
		allowed, ok := s.trouble.may(ctx)
		if !ok {
			w.waits[i] = mailing.Wait{Kind: mailing.WaitProvider, Until: s.now().Add(mailing.ParkTime)}
			return
		}
		begun := s.now()
		o := s.send(ctx, h)
		ended := s.now()
		expired := o.Kind == mailing.OutcomeNotTried && !ended.Before(h.Before)
		waited := ended.Sub(first) >= s.config.ProviderTimeout
		if expired && waited {
			o = mailing.Outcome{Kind: mailing.OutcomeRetry, Code: "connect_timeout"}
		}
		if s.trouble.end(ctx, allowed, o) {
			s.wake(ctx)
		}
		if expired && !waited {
			// The decision grew old while the request waited for a connection.
			continue
		}
		w.outcomes[i] = o
		if o.Kind != mailing.OutcomeNotTried {
			w.begun[i], w.took[i] = begun, ended.Sub(begun)
		}
		return
	}
}

// wake asks for the work that the end of an outage makes: the sweep would begin
// it within a minute.
func (s *Sender) wake(ctx context.Context) {
	if err := s.sweeps.QueueSweep(ctx); err != nil {
		slog.WarnContext(ctx, "ask for a sweep after an outage", "error", err)
	}
}

// await waits for a member's turn, and then for a place in flight. It gives up
// where that would leave no time for a request.
func (s *Sender) await(ctx context.Context, inv *invocation, turn time.Time) bool {
	if wait := turn.Sub(s.now()); wait > 0 && s.sleep(ctx, wait) != nil {
		return false
	}
	waiting, cancel := context.WithTimeout(ctx, inv.until.Sub(s.now()))
	defer cancel()
	return s.inFlight.Acquire(waiting, 1) == nil
}

// decide decides on a member by what was read at most a second ago. ok is false
// if it does not go now: then what becomes of it is noted. A hand-over begins
// within [mailing.Trust] of the reading, or needs a new decision.
func (s *Sender) decide(ctx context.Context, w *work, i int) (h mailing.Handover, ok bool) {
	mem := w.members[i]
	id := mailing.NewMessageID(w.batch.Key.Mailing, mem.Client)
	m, client, asked, err := s.facts(ctx, w, mem.Client)
	if err != nil {
		slog.ErrorContext(ctx, "read what a hand-over is decided by", "mailing_id", w.mailing(), "message_id", id, "error", err)
		w.waits[i] = mailing.Wait{Kind: mailing.WaitTurn}
		return h, false
	}
	w.plans[i], w.untouched[i] = m.Plan, m.Untouched()
	if mem.Status == mailing.Deferred && m.Plan > w.batch.Plan {
		mem.NotBefore = time.Time{} // of an opening that was edited
	}
	now := s.now()
	d := mailing.Decide(m, client, mem, now)
	if d.Action == mailing.Send && d.Until.Sub(now) < minRequest {
		d = mailing.Decide(m, client, mem, d.Until)
	}
	switch d.Action {
	case mailing.Send:
		before := asked.Add(mailing.Trust)
		if d.Until.Before(before) {
			before = d.Until
		}
		return mailing.Handover{ID: id, Phone: client.Phone, Text: m.Text, Before: before}, true
	case mailing.Defer:
		w.waits[i] = mailing.Wait{Kind: mailing.WaitUntil, Until: d.Until}
	case mailing.Later:
		w.waits[i] = mailing.Wait{Kind: mailing.WaitLater, Until: d.Until}
	case mailing.Hold:
		w.waits[i] = mailing.Wait{Kind: mailing.WaitResume}
	case mailing.Finish:
	}
	w.members[i] = mem.Decided(d, now)
	return h, false
}

// facts returns what a member is decided by, and when the reading of the older
// part of it began. client is nil if it is deleted.
func (s *Sender) facts(ctx context.Context, w *work, id mailing.ClientID) (m mailing.Mailing, client *mailing.Client, asked time.Time, err error) {
	m, asked, err = s.mailings.get(ctx, w.mailing())
	if err == nil && w.batch.Test == nil && m.Plan < w.batch.Plan {
		// Another sender has settled this batch by a newer one.
		m, asked, err = s.mailings.reload(ctx, w.mailing())
	}
	if err != nil {
		return m, nil, asked, err
	}
	client, read, err := s.client(ctx, w, id)
	if read.Before(asked) {
		asked = read
	}
	return w.decidedBy(m), client, asked, err
}

// send hands one message over. A panic on the way is an ambiguous outcome of
// this message, and of no other.
func (s *Sender) send(ctx context.Context, h mailing.Handover) (o mailing.Outcome) {
	ctx, cancel := context.WithTimeout(ctx, s.config.ProviderTimeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			slog.ErrorContext(ctx, "panic while handing over", "mailing_id", h.ID.Mailing(), "message_id", h.ID, "stack", string(debug.Stack()))
			o = mailing.Outcome{Kind: mailing.OutcomeAmbiguous, Code: "panic"}
		}
	}()
	o = s.provider.Send(ctx, h)
	if o.Valid() {
		s.health.answered(s.now())
	}
	return o
}

// healthy is for how long after a valid answer the provider is held to work.
const healthy = 5 * time.Minute

// health remembers when this environment had a valid answer last.
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

// works reports whether an attempt that failed at now is the message's own
// trouble rather than the provider's.
func (h *health) works(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.last.IsZero() && within(now.Sub(h.last), healthy)
}
