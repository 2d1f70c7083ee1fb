package deliver

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

// freshFor is how long a mailing or a client that was read is decided by before
// it is read again. It leaves the rest of [mailing.Trust] for the request to begin.
const freshFor = time.Second

// read reads the clients of all pending members of a batch, and refreshes its
// mailing; batches of the same invocation that come to this side by side read
// together.
func (s *Sender) read(ctx context.Context, inv *invocation, w *work) error {
	inv.reads.do(struct{}{}, w, func(<-chan struct{}) {}, func(works []*work, _ func()) {
		asked := s.now()
		clients, err := s.readAll(ctx, works)
		for _, w := range works {
			w.clients, w.read, w.readErr = clients, asked, err
		}
	})
	return w.readErr
}

func (s *Sender) readAll(ctx context.Context, works []*work) (clients map[mailing.ClientID]mailing.Client, err error) {
	var ids []mailing.ClientID
	mailings := make(map[mailing.MailingID]struct{})
	for _, w := range works {
		mailings[w.mailing()] = struct{}{}
		ids = append(ids, w.recipients()...)
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

// client returns the client of a member as it was read at most freshFor ago, nil
// if it is deleted, and when the reading began.
func (s *Sender) client(ctx context.Context, w *work, id mailing.ClientID) (c *mailing.Client, asked time.Time, err error) {
	if w.batch.Test != nil {
		return &mailing.Client{Phone: w.batch.Test.Phone}, s.now(), nil
	}
	w.reading.Lock()
	defer w.reading.Unlock()
	if now := s.now(); !within(now.Sub(w.read), freshFor) {
		clients, err := s.store.Recipients(ctx, w.recipients())
		if err != nil {
			return nil, now, err
		}
		w.clients, w.read = clients, now
	}
	found, ok := w.clients[id]
	if !ok {
		return nil, w.read, nil
	}
	return &found, w.read, nil
}
