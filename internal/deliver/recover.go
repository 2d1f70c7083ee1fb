package deliver

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"postrider/internal/mailing"
)

// recover settles a batch whose last claim was never settled. It charges the messages
// that the lost claim may have handed over. They are handed over again only under a
// later claim, after the charge is stored.
func (s *Sender) recover(ctx context.Context, inv *invocation, w *work) {
	m, clients, err := s.witnesses(ctx, inv, w)
	if err != nil {
		slog.ErrorContext(ctx, "read what a lost claim may have handed over", "mailing_id", w.batch.Key.Mailing, "batch", w.batch.Key.String(), "error", err)
		inv.handling[w.delivery] = s.again(inv.deliveries[w.delivery], claimAgain)
		return
	}
	w.members, w.waits, w.charged = w.batch.Recovered(m, clients, s.now())
	slog.WarnContext(ctx, "a claim was lost: its messages are charged", "mailing_id", w.batch.Key.Mailing, "batch", w.batch.Key.String(),
		"claims", w.batch.Claims-1, "charged", w.charged)
	s.settle(ctx, inv, w)
}

// witnesses returns the mailing as it is now, and the clients that a lost claim was
// about. A deleted client is returned as it was when it was deleted.
func (s *Sender) witnesses(ctx context.Context, inv *invocation, w *work) (m mailing.Mailing, clients map[mailing.ClientID]mailing.Client, err error) {
	if err := s.read(ctx, inv, w); err != nil {
		return m, nil, err
	}
	if m, _, err = s.mailings.reload(ctx, w.mailing()); err != nil {
		return m, nil, err
	}
	missing := slices.DeleteFunc(w.recipients(), func(id mailing.ClientID) bool {
		_, there := w.clients[id]
		return there
	})
	if len(missing) == 0 {
		return w.decidedBy(m), w.clients, nil
	}
	departed, err := s.store.Departed(ctx, missing)
	if err != nil {
		return m, nil, fmt.Errorf("read deleted clients: %w", err)
	}
	maps.Copy(departed, w.clients)
	return w.decidedBy(m), departed, nil
}
