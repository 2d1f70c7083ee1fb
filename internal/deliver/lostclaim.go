package deliver

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"postrider/internal/mailing"
)

// settleLostClaim settles a batch whose last claim was never settled. It charges the
// messages that the lost claim may have handed over. They are handed over again only
// under a later claim, after the charge is stored.
func (s *Sender) settleLostClaim(ctx context.Context, inv *invocation, w *work) {
	m, clients, err := s.lostClaimFacts(ctx, inv, w)
	if err != nil {
		slog.ErrorContext(ctx, "read the mailing and the clients of a lost claim",
			"mailing_id", w.batch.Key.Mailing, "batch", w.batch.Key.String(), "error", err)
		w.delivery.handling = s.comeBackAfter(w.delivery, claimRetry)
		return
	}
	states, waits, charged := w.batch.Recovered(m, clients, s.now())
	for i, r := range w.recipients {
		r.state, r.wait = states[i], waits[i]
	}
	w.charged = charged
	slog.WarnContext(ctx, "a claim was lost: its messages are charged", "mailing_id", w.batch.Key.Mailing,
		"batch", w.batch.Key.String(), "claims", w.batch.Claims-1, "charged", charged)
	s.settle(ctx, inv, w)
}

// lostClaimFacts returns the mailing as it is now, and the clients of a lost claim. Of a
// deleted client it returns the facts that are kept.
func (s *Sender) lostClaimFacts(
	ctx context.Context, inv *invocation, w *work,
) (m mailing.Mailing, clients map[mailing.ClientID]mailing.Client, err error) {
	if err := s.read(ctx, inv, w); err != nil {
		return m, nil, err
	}
	if m, _, err = s.mailings.reload(ctx, w.mailing()); err != nil {
		return m, nil, err
	}
	missing := slices.DeleteFunc(w.clientIDs(), func(id mailing.ClientID) bool {
		_, found := w.clients[id]
		return found
	})
	if len(missing) == 0 {
		return w.decidedBy(m), w.clients, nil
	}
	deleted, err := s.store.Departed(ctx, missing)
	if err != nil {
		return m, nil, fmt.Errorf("read deleted clients: %w", err)
	}
	maps.Copy(deleted, w.clients)
	return w.decidedBy(m), deleted, nil
}
