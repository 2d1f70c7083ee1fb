package deliver

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

// freshFor is how long decisions use a mailing or a client before it is read again. The
// rest of [mailing.Trust] is left for the request to begin.
const freshFor = time.Second

// read reads the clients of all pending recipients of a batch, and refreshes its mailing.
// Calls for batches of one invocation at about the same time share one reading.
func (s *Sender) read(ctx context.Context, inv *invocation, w *work) error {
	inv.reads.do(struct{}{}, w, func(context.Context) {}, func(works []*work, _ func()) {
		readAt := s.now()
		clients, err := s.readAll(ctx, works)
		for _, w := range works {
			w.clients, w.readAt, w.readErr = clients, readAt, err
		}
	})
	return w.readErr
}

// readAll reads the clients of several batches in one call of the store, and at the
// same time their mailings through the cache.
func (s *Sender) readAll(ctx context.Context, works []*work) (clients map[mailing.ClientID]mailing.Client, err error) {
	var ids []mailing.ClientID
	mailings := make(map[mailing.ID]struct{})
	for _, w := range works {
		mailings[w.mailing()] = struct{}{}
		ids = append(ids, w.clientIDs()...)
	}
	group, ctx := errgroup.WithContext(ctx)
	for id := range mailings {
		group.Go(func() error {
			_, _, err := s.mailings.get(ctx, id)
			return err
		})
	}
	group.Go(func() (err error) {
		clients, err = s.store.Recipients(ctx, ids)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read mailings and clients: %w", err)
	}
	return clients, nil
}

// client returns the client of a recipient as it was read at most freshFor ago, and the
// instant at which the reading began. c is nil if the client was deleted. Calls for the
// recipients of one batch are concurrent. If the last reading is too old, one call reads
// the clients of the whole batch again. The other calls wait for w.mu and use the result.
func (s *Sender) client(
	ctx context.Context, w *work, id mailing.ClientID,
) (c *mailing.Client, readAt time.Time, err error) {
	if w.batch.Test != nil {
		return &mailing.Client{Phone: w.batch.Test.Phone}, s.now(), nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := s.now(); !within(now.Sub(w.readAt), freshFor) {
		clients, err := s.store.Recipients(ctx, w.clientIDs())
		if err != nil {
			return nil, now, err
		}
		w.clients, w.readAt = clients, now
	}
	found, ok := w.clients[id]
	if !ok {
		return nil, w.readAt, nil
	}
	return &found, w.readAt, nil
}
