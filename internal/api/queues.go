package api

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"postrider/internal/mailing"
)

const queuesPath = "/api/queues"

// routeQueues registers the operations on queues and dead letters, and the test
// message.
func (s *server) routeQueues() {
	handle(s, operation("get-queues", http.MethodGet, queuesPath, "service", "What waits, and what is dead"), s.queues)
	handle(s, operation("redrive-dead-letters", http.MethodPost, queuesPath+"/dead-letters/redrive", "service",
		"Try the messages of the dead letters again"), s.redrive)
	test := mailingOp("test-mailing", http.MethodPost, mailingPath+"/test", "Send one message of a mailing to a phone, marked as a test",
		http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	test.DefaultStatus = http.StatusAccepted
	handle(s, test, s.test)
}

// queues returns how much waits in each queue, and some dead letters. The oldest
// age of the dead letters is that of the letters that are shown.
func (s *server) queues(ctx context.Context, _ *struct{}) (*struct{ Body QueueList }, error) {
	depths, err := s.Queues.Depths(ctx)
	if err != nil {
		return nil, err
	}
	letters, err := s.Queues.Peek(ctx)
	if err != nil {
		return nil, err
	}
	oldest, _, err := s.Mailings.OldestWaiting(ctx)
	if err != nil {
		return nil, err
	}
	since := map[string]time.Time{mailing.DeliveriesQueue: oldest}
	body := QueueList{DeadLetters: []DeadLetter{}}
	for _, l := range letters {
		body.DeadLetters = append(body.DeadLetters, deadLetterJSON(l))
		if first := since[mailing.DeadLettersQueue]; first.IsZero() || l.QueuedAt.Before(first) {
			since[mailing.DeadLettersQueue] = l.QueuedAt
		}
	}
	for _, d := range depths {
		q := Queue{Name: d.Name, Waiting: d.Waiting, InFlight: d.InFlight, Delayed: d.Delayed}
		if first := since[d.Name]; !first.IsZero() {
			age := thousandths(max(0, s.Now().Sub(first).Seconds()))
			q.OldestAge = &age
		}
		body.Queues = append(body.Queues, q)
	}
	return &struct{ Body QueueList }{body}, nil
}

// deadLetterJSON returns a dead letter as answers have it. There are three sorts: a
// failed message, a batch that was delivered too often, and an entry that cannot be
// read.
func deadLetterJSON(l mailing.StoredLetter) DeadLetter {
	switch {
	case l.Letter != nil:
		d := DeadLetter{
			MessageID: int64(l.Letter.Message), MailingID: int64(l.Letter.Message.Mailing()), ClientID: int64(l.Letter.Message.Client()),
			Reason: l.Letter.Reason, Attempts: l.Letter.Attempts, At: Time(l.Letter.At),
		}
		if l.Letter.Message.Mailing() == mailing.TestMailing {
			d.ClientID = 0 // a test message goes to no client
		}
		return d
	case l.Delivery != nil:
		return DeadLetter{MailingID: int64(l.Delivery.Mailing), Reason: "received_too_often", At: Time(l.QueuedAt)}
	default:
		return DeadLetter{Reason: "unreadable", At: Time(l.QueuedAt)}
	}
}

// redriveTime is the time for which one call takes dead letters out of their queue.
// The letters that it holds at the end of that time are still dealt with.
const redriveTime = 8 * time.Second

// redrive tries the messages of all dead letters again, as far as the time allows.
// A repeated call does no harm: a letter whose failure was dealt with since is
// stale.
func (s *server) redrive(ctx context.Context, _ *struct{}) (*struct{ Body Redriven }, error) {
	var done Redriven
	for until := s.Now().Add(redriveTime); ; {
		letters, err := s.Queues.Take(ctx)
		if err != nil {
			return nil, err
		}
		if len(letters) == 0 {
			return &struct{ Body Redriven }{done}, nil
		}
		if err := s.redriveSome(ctx, letters, &done); err != nil {
			return nil, err
		}
		if !s.Now().Before(until) {
			done.More = true
			return &struct{ Body Redriven }{done}, nil
		}
	}
}

// redriveSome tries the messages of some letters again, and then removes the
// letters that are not needed any more. If it ends in between, the letters that
// stay do no harm. In the other order, letters could be lost whose messages were
// not tried again.
func (s *server) redriveSome(ctx context.Context, letters []mailing.StoredLetter, done *Redriven) error {
	failures := map[mailing.ID][]mailing.StoredLetter{}
	var deliveries []mailing.BatchKey
	var finished []mailing.StoredLetter
	for _, l := range letters {
		switch {
		case l.Letter != nil:
			id := l.Letter.Message.Mailing()
			failures[id] = append(failures[id], l)
		case l.Delivery != nil:
			deliveries, finished = append(deliveries, *l.Delivery), append(finished, l)
			done.Redriven++
		default:
			done.Kept++
		}
	}
	if err := s.Queues.Deliver(ctx, deliveries); err != nil {
		return err
	}
	for id, some := range failures {
		removable, err := s.redriveMailing(ctx, id, some, done)
		if err != nil {
			return err
		}
		finished = append(finished, removable...)
	}
	return s.Queues.Remove(ctx, finished)
}

// redriveMailing tries the messages of one mailing's letters again, and returns the
// letters that can be removed: those whose message is tried again, and stale ones.
func (s *server) redriveMailing(ctx context.Context, id mailing.ID, stored []mailing.StoredLetter, done *Redriven) ([]mailing.StoredLetter, error) {
	letters := make([]mailing.DeadLetter, len(stored))
	for i, l := range stored {
		letters[i] = *l.Letter
	}
	r, err := s.redriving(ctx, id, letters)
	if err != nil {
		return nil, err
	}
	done.Redriven += len(r.Requeued)
	done.Stale += len(r.Stale)
	done.Kept += len(r.Kept)
	return slices.DeleteFunc(stored, func(l mailing.StoredLetter) bool { return slices.Contains(r.Kept, *l.Letter) }), nil
}

// redriving tries the messages of one mailing's letters again, and returns the
// outcome of each letter. An unknown mailing makes all of them stale, so that they
// are removed. A mailing that allows no further attempts keeps all of them.
func (s *server) redriving(ctx context.Context, id mailing.ID, letters []mailing.DeadLetter) (mailing.Redriving, error) {
	if id == mailing.TestMailing {
		// A test message is not tried again. The caller can ask for a new one.
		return mailing.Redriving{Stale: letters}, nil
	}
	m, r, err := s.Mailings.Redrive(ctx, id, letters)
	switch mailing.KindOf(err) {
	case mailing.KindNotFound:
		return mailing.Redriving{Stale: letters}, nil
	case mailing.KindConflict:
		return mailing.Redriving{Kept: letters}, nil
	case mailing.KindInternal, mailing.KindInvalid, mailing.KindMalformed, mailing.KindStale:
	}
	if err != nil {
		return r, err
	}
	if len(r.Requeued) > 0 {
		s.queueTasks(ctx, m)
		for _, l := range r.Requeued {
			s.Log.LogAttrs(ctx, slog.LevelInfo, "message redriven", slog.Int64("mailing_id", int64(id)), slog.Int64("message_id", int64(l.Message)),
				slog.Int64("client_id", int64(l.Message.Client())), slog.String("request_id", requestID(ctx)))
		}
	}
	return r, nil
}

// testAsked is the input of a request for a test message.
type testAsked struct {
	Idempotent
	ID   idParam `path:"id"`
	Body TestBody
}

// testAccepted is the answer to it.
type testAccepted struct {
	Repeated
	Location string `header:"Location" doc:"Where the message is."`
	Body     Message
}

// test sends a mailing's text to one phone, once for each idempotency key. A
// repetition must have the same mailing and the same body.
func (s *server) test(ctx context.Context, in *testAsked) (*testAccepted, error) {
	msg, repeated, err := idempotently(ctx, s, in.Idempotent, "test-mailing", []any{in.ID.n, in.Body},
		func(c mailing.Creation) *mailing.Message { return c.Test },
		func(o mailing.Idempotency) (mailing.Message, error) {
			m, err := s.mailing(ctx, in.ID)
			if err != nil {
				return mailing.Message{}, err
			}
			t, err := mailing.NewTest(m, in.Body.Phone)
			if err != nil {
				return mailing.Message{}, err
			}
			return s.sendTest(ctx, t, o)
		})
	if err != nil {
		return nil, err
	}
	made(ctx, "message_id", msg.ID)
	return &testAccepted{repeated, location(ctx, messagesPath, msg.ID), messageJSON(msg)}, nil
}

// sendTest stores a test message and queues its batch. An error of the queue is
// only logged, because the message is stored and the sweep finds it.
func (s *server) sendTest(ctx context.Context, t mailing.Test, o mailing.Idempotency) (mailing.Message, error) {
	msg, key, err := s.Mailings.CreateTest(ctx, t, s.Now(), o)
	if err != nil {
		return msg, err
	}
	if err := s.Queues.Deliver(ctx, []mailing.BatchKey{key}); err != nil {
		s.Log.LogAttrs(ctx, slog.LevelError, "test message not queued, the sweep will do it", slog.Int64("mailing_id", int64(t.Mailing)),
			slog.Int64("message_id", int64(msg.ID)), slog.String("request_id", requestID(ctx)), slog.String("error", err.Error()))
	}
	return msg, nil
}
