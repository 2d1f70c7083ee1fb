package deliver

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

// read reads the clients of all pending members, and refreshes the mailings.
func (s *Sender) read(ctx context.Context, works []*work) error {
	asked := s.now()
	var ids []mailing.ClientID
	mailings := make(map[mailing.MailingID]struct{})
	for _, w := range works {
		mailings[w.mailing()] = struct{}{}
		ids = append(ids, w.recipients()...)
	}
	var clients map[mailing.ClientID]mailing.Client
	group, ctx := errgroup.WithContext(ctx)
	for id := range mailings {
		group.Go(func() error {
			_, err := s.mailings.get(ctx, id)
			return err
		})
	}
	group.Go(func() (err error) {
		clients, err = s.store.Recipients(ctx, ids)
		return err
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("read mailings and clients: %w", err)
	}
	for _, w := range works {
		w.clients, w.read = clients, asked
	}
	return nil
}

// recipients are the clients whom the pending members go to; a test message
// goes to none.
func (w *work) recipients() []mailing.ClientID {
	if w.batch.Test != nil {
		return nil
	}
	var ids []mailing.ClientID
	for _, mem := range w.batch.Members {
		if mem.Status.Pending() {
			ids = append(ids, mem.Client)
		}
	}
	return ids
}

// client is the client of a member as it was at most freshFor ago, nil if it is
// gone.
func (s *Sender) client(ctx context.Context, w *work, id mailing.ClientID) (*mailing.Client, error) {
	if w.batch.Test != nil {
		return &mailing.Client{Phone: w.batch.Test.Phone}, nil
	}
	w.reading.Lock()
	defer w.reading.Unlock()
	if asked := s.now(); asked.Sub(w.read) >= freshFor {
		clients, err := s.store.Recipients(ctx, w.recipients())
		if err != nil {
			return nil, err
		}
		w.clients, w.read = clients, asked
	}
	c, ok := w.clients[id]
	if !ok {
		return nil, nil //nolint:nilnil // nobody is an answer
	}
	return &c, nil
}

// mailing is the mailing that a batch is of, or that a test message tests.
func (w *work) mailing() mailing.MailingID {
	if w.batch.Test != nil {
		return w.batch.Test.Mailing
	}
	return w.batch.Key.Mailing
}

// decidedBy is m as a batch is decided on.
func (w *work) decidedBy(m mailing.Mailing) mailing.Mailing {
	if w.batch.Test != nil {
		return m.ForTest(w.batch.CreatedAt)
	}
	return m
}

// freshFor is how long a mailing or a client that was read is decided by. With
// the time that reading takes, a pause or a cancellation holds within two
// seconds.
const freshFor = time.Second
