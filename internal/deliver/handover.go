package deliver

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// minRequest is the least time in which a request is worth beginning before
// its mailing's end: what is cut there cannot be told from what was delivered.
const minRequest = 250 * time.Millisecond

// handOver decides on all pending members, and hands over those that may go,
// side by side. It returns when all requests have ended.
func (s *Sender) handOver(ctx context.Context, inv *invocation, works []*work, clients map[mailing.ClientID]mailing.Client) {
	var wg sync.WaitGroup
	for _, w := range works {
		for i, mem := range w.members {
			if !mem.Status.Pending() {
				continue
			}
			var client *mailing.Client
			if c, ok := clients[mem.Client]; ok {
				client = &c
			}
			wg.Go(func() { s.one(ctx, inv, w, i, client) })
		}
	}
	wg.Wait()
}

// one takes one member through its turn. Nobody else touches its places.
func (s *Sender) one(ctx context.Context, inv *invocation, w *work, i int, client *mailing.Client) {
	id := mailing.NewMessageID(w.batch.Key.Mailing, w.members[i].Client)
	// Waiting for a place in flight may take the whole invocation.
	waiting, cancel := context.WithTimeout(ctx, inv.until.Sub(s.now()))
	defer cancel()
	if err := s.inFlight.Acquire(waiting, 1); err != nil {
		w.waits[i] = mailing.Wait{Kind: mailing.WaitTurn}
		return
	}
	defer s.inFlight.Release(1)

	m, err := s.mailings.get(ctx, w.batch.Key.Mailing)
	if err != nil {
		slog.ErrorContext(ctx, "read the mailing before a hand-over", "mailing_id", id.Mailing(), "message_id", id, "error", err)
		w.waits[i] = mailing.Wait{Kind: mailing.WaitTurn}
		return
	}
	w.plans[i] = m.Plan
	now := s.now()
	d := mailing.Decide(m, client, w.members[i], now)
	if d.Action == mailing.Send && m.EndAt.Sub(now) < minRequest {
		d = mailing.Decide(m, client, w.members[i], m.EndAt)
	}
	if d.Action != mailing.Send {
		w.members[i] = w.members[i].Decided(d, now)
		if d.Action == mailing.Defer {
			w.waits[i] = mailing.Wait{Kind: mailing.WaitUntil, Until: d.Until}
		}
		return
	}
	if now.Add(s.config.ProviderTimeout).After(inv.until) {
		w.waits[i] = mailing.Wait{Kind: mailing.WaitTurn}
		return
	}
	limit := min(s.config.ProviderTimeout, m.EndAt.Sub(now))
	w.outcomes[i] = s.send(ctx, limit, mailing.Handover{ID: id, Phone: client.Phone, Text: m.Text})
}

// send hands one message over within limit. A panic on the way is an ambiguous
// outcome of this message, and of no other.
func (s *Sender) send(ctx context.Context, limit time.Duration, h mailing.Handover) (o mailing.Outcome) {
	ctx, cancel := context.WithTimeout(ctx, limit)
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

// works tells whether an attempt that failed at now is the message's own
// trouble rather than the provider's.
func (h *health) works(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.last.IsZero() && now.Sub(h.last) < healthy
}
