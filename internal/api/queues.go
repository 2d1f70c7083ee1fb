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

// QueueList is the contents of the queues, with some of the dead letters.
type QueueList struct {
	Queues      []Queue      `json:"queues" nullable:"false"`
	DeadLetters []DeadLetter `json:"dead_letters" nullable:"false" doc:"Some of the dead letters, at most 50."`
	Provider    Provider     `json:"provider"`
}

// Provider is the state of the sending API, as the senders have found it.
type Provider struct {
	DownSince   *Time `json:"down_since" nullable:"true" doc:"The instant since which the sending API is down. Null while it works."`
	NextProbeAt *Time `json:"next_probe_at" nullable:"true" doc:"While it is down: the instant at which one message is tried next. It may have passed, if no message can be tried."`
}

// Queue is the approximate number of entries of one queue.
type Queue struct {
	Name      string   `json:"name" enum:"tasks,deliveries,dead-letters,dead-tasks"`
	Waiting   int64    `json:"waiting" minimum:"0" doc:"Entries that can be taken now."`
	InFlight  int64    `json:"in_flight" minimum:"0" doc:"Entries that are being processed, or that are retried within a minute."`
	Delayed   int64    `json:"delayed" minimum:"0" doc:"Entries that wait for their time."`
	OldestAge *float64 `json:"oldest_age_seconds" minimum:"0" doc:"The time for which the oldest entry that can be processed has waited. Null if there is none, or if it is unknown."`
}

// DeadLetter is a dead letter, in answers.
type DeadLetter struct {
	MessageID MessageID `json:"message_id" minimum:"0" doc:"0 if it is unknown."`
	MailingID MailingID `json:"mailing_id" minimum:"0" doc:"0 for a test message, or if it is unknown."`
	ClientID  ClientID  `json:"client_id" minimum:"0" doc:"0 for a test message, or if it is unknown."`
	Reason    string    `json:"reason" example:"http_400"`
	Attempts  int       `json:"attempts" minimum:"0"`
	At        Time      `json:"at"`
}

// Redriven is the outcome of a redrive: the numbers of dead letters.
type Redriven struct {
	Redriven int  `json:"redriven" minimum:"0" doc:"Dead letters whose messages are tried again."`
	Stale    int  `json:"stale" minimum:"0" doc:"Dead letters that were removed because their messages had been tried again or no longer exist."`
	Kept     int  `json:"kept" minimum:"0" doc:"Dead letters that stay, because their mailing has ended or was cancelled, they were busy, or they cannot be read."`
	More     bool `json:"more" doc:"Whether there may be more. Repeat the request in that case."`
}

// exampleQueues returns the three queues, with one dead letter.
func exampleQueues() QueueList {
	age := 12.5
	return QueueList{
		Queues: []Queue{
			{Name: mailing.TasksQueue},
			{Name: mailing.DeliveriesQueue, Waiting: 40, InFlight: 5, OldestAge: &age},
			{Name: mailing.DeadLettersQueue, Waiting: 1, OldestAge: &age},
			{Name: mailing.DeadTasksQueue},
		},
		DeadLetters: []DeadLetter{{
			MessageID: exampleMessage().ID, MailingID: 1, ClientID: 1, Reason: "http_400", Attempts: 1,
			At: exampleAt(31),
		}},
	}
}

// routeQueues registers the operations on queues and dead letters.
func (s *server) routeQueues() {
	register(s, operation{
		id: "get-queues", method: http.MethodGet, path: queuesPath, tag: serviceTag,
		summary: "Read the queues and dead letters",
		about: "Returns the number of entries in the queues and the age of the oldest, and up to 50 dead " +
			"letters: messages that are not retried automatically, with the reason. The numbers are " +
			"approximate, because SQS cannot count exactly. An entry of `deliveries` is a batch of up to 50 " +
			"messages, and an entry of `tasks` is a piece of work on a mailing. An entry of `dead-tasks` is a piece of work that " +
			"failed five times; the next sweep does it again. While the sending API is down, " +
			"`provider` has the instant since when; messages then wait, and go on after its first valid answer. " +
			"The request changes nothing. It hides the dead letters that it returns from a redrive for a few " +
			"seconds, so a program that repeats the request should use `limit=0`.",
		success: "The queues and dead letters.", answer: exampleQueues(),
	}, s.readQueues)
	register(s, operation{
		id: "redrive-dead-letters", method: http.MethodPost, path: queuesPath + "/dead-letters/redrive",
		tag:     serviceTag,
		summary: "Retry the messages of the dead letters",
		about: "Retries the messages of the dead letters, all of them or those that match all given filters, as " +
			"a retry of each message would: with new attempts, " +
			"and its mailing is reopened if it was completed. A dead letter is removed when its message is " +
			"retried, no longer exists, or was retried before. It stays if its mailing cannot be " +
			"resumed.\n\nOne request works for up to eight seconds. If the answer has `more: true`, repeat the " +
			"request. A repeated request does no harm: a message is only retried if its failure is still the " +
			"one in the dead letter. Letters that do not match stay, are not counted, and are hidden from other " +
			"requests for a minute; with `message_id`, for ten seconds.",
		errors: map[int]errorText{http.StatusNotFound: {
			when: "A filter names a message or a mailing that does not exist.", detail: "there is no mailing with this id",
		}},
		success: "The numbers of dead letters by outcome.", answer: Redriven{Redriven: 12, Stale: 1},
	}, s.redrive)
}

// readQueues returns the depth of each queue, and some dead letters. The oldest age
// of their queue is that of the oldest letter in the answer.
func (s *server) readQueues(ctx context.Context, in *queuesInput) (*struct{ Body QueueList }, error) {
	depths, err := s.queues.Depths(ctx)
	if err != nil {
		return nil, err
	}
	var letters []mailing.StoredLetter
	if in.Limit > 0 {
		if letters, err = s.queues.Peek(ctx); err != nil {
			return nil, err
		}
		letters = letters[:min(in.Limit, len(letters))]
	}
	oldest, _, err := s.mailings.OldestWaiting(ctx)
	if err != nil {
		return nil, err
	}
	outage, err := s.mailings.Outage(ctx)
	if err != nil {
		return nil, err
	}
	since := map[string]time.Time{mailing.DeliveriesQueue: oldest}
	body := QueueList{Queues: []Queue{}, DeadLetters: []DeadLetter{}, Provider: providerJSON(outage)}
	for _, l := range letters {
		body.DeadLetters = append(body.DeadLetters, deadLetterJSON(l))
		if first := since[mailing.DeadLettersQueue]; first.IsZero() || l.QueuedAt.Before(first) {
			since[mailing.DeadLettersQueue] = l.QueuedAt
		}
	}
	for _, d := range depths {
		q := Queue{Name: d.Name, Waiting: d.Waiting, InFlight: d.InFlight, Delayed: d.Delayed}
		if first := since[d.Name]; !first.IsZero() {
			age := thousandths(max(0, s.now().Sub(first).Seconds()))
			q.OldestAge = &age
		}
		body.Queues = append(body.Queues, q)
	}
	return &struct{ Body QueueList }{body}, nil
}

// queuesInput is the input of a request for the queues.
type queuesInput struct {
	Limit int `query:"limit" minimum:"0" maximum:"50" default:"50" doc:"The maximum number of dead letters. 0 returns none, and the age of the oldest one is then unknown."`
}

// providerJSON returns the state of the sending API as answers have it.
func providerJSON(o mailing.Outage) Provider {
	if !o.Down() {
		return Provider{}
	}
	since, probe := Time(o.Since), Time(o.ProbeAt)
	return Provider{DownSince: &since, NextProbeAt: &probe}
}

// deadLetterJSON returns a dead letter as answers have it. There are three kinds: a
// failed message, a batch that was delivered too often, and an entry that cannot be
// read.
func deadLetterJSON(l mailing.StoredLetter) DeadLetter {
	switch {
	case l.Letter != nil:
		d := DeadLetter{
			MessageID: MessageID(l.Letter.Message), MailingID: MailingID(l.Letter.Message.Mailing()),
			ClientID: ClientID(l.Letter.Message.Client()),
			Reason:   l.Letter.Reason, Attempts: l.Letter.Attempts, At: Time(l.Letter.At),
		}
		if l.Letter.Message.Mailing() == mailing.TestMailing {
			d.ClientID = 0 // a test message goes to no client
		}
		return d
	case l.Delivery != nil:
		return DeadLetter{MailingID: MailingID(l.Delivery.Mailing), Reason: "received_too_often", At: Time(l.QueuedAt)}
	default:
		return DeadLetter{Reason: "unreadable", At: Time(l.QueuedAt)}
	}
}

// redriveTime is the time for which one call takes dead letters out of their queue.
// The letters that it holds at the end of that time are still dealt with.
const redriveTime = 8 * time.Second

// hiddenTime is the time for which letters that a redrive takes and does not remove stay
// hidden. Repeated requests must get through a long queue before letters come again.
const hiddenTime = time.Minute

// redriveInput has the filters of a redrive.
type redriveInput struct {
	Message idParam `query:"message_id" doc:"Only the dead letter of this message. The request ends when it is found."`
	Mailing idParam `query:"mailing_id" doc:"Only dead letters of this mailing."`
	Reason  string  `query:"reason" minLength:"1" maxLength:"100" example:"http_400" doc:"Only dead letters with exactly this reason."`
}

// matches reports whether a letter matches all filters.
func (in *redriveInput) matches(l mailing.StoredLetter) bool {
	d := deadLetterJSON(l)
	return (!in.Message.given || int64(d.MessageID) == in.Message.n) && (!in.Mailing.given || int64(d.MailingID) == in.Mailing.n) &&
		(in.Reason == "" || d.Reason == in.Reason)
}

// filtersExist returns not found if the message or the mailing of a filter does not exist.
func (s *server) filtersExist(ctx context.Context, in *redriveInput) error {
	if in.Message.given {
		id, err := in.Message.message()
		if err != nil {
			return err
		}
		if _, err := s.mailings.Message(ctx, id); err != nil {
			return err
		}
	}
	if in.Mailing.given {
		if _, err := s.mailing(ctx, in.Mailing); err != nil {
			return err
		}
	}
	return nil
}

// redrive tries the messages of the matching dead letters again, as far as the time
// allows. A repeated call does no harm: a letter whose failure was dealt with since is
// stale.
func (s *server) redrive(ctx context.Context, in *redriveInput) (*struct{ Body Redriven }, error) {
	if err := s.filtersExist(ctx, in); err != nil {
		return nil, err
	}
	var done Redriven
	hidden := hiddenTime
	if in.Message.given {
		hidden = redriveTime + 2*time.Second // the others are soon seen again
	}
	for until := s.now().Add(redriveTime); ; {
		taken, err := s.queues.Take(ctx, hidden)
		if err != nil {
			return nil, err
		}
		letters := slices.DeleteFunc(slices.Clone(taken), func(l mailing.StoredLetter) bool { return !in.matches(l) })
		if err := s.redriveSome(ctx, letters, &done); err != nil {
			return nil, err
		}
		if len(taken) == 0 || (in.Message.given && len(letters) > 0) {
			return &struct{ Body Redriven }{done}, nil
		}
		if !s.now().Before(until) {
			done.More = true
			return &struct{ Body Redriven }{done}, nil
		}
	}
}

// redriveSome tries the messages of some letters again, and then removes the
// letters that are not needed any more. If it ends in between, the letters that
// stay do no harm. In the other order, a letter could be removed although its
// message was not tried again.
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
	if err := s.queues.Deliver(ctx, deliveries); err != nil {
		return err
	}
	for id, some := range failures {
		removable, err := s.redriveMailing(ctx, id, some, done)
		if err != nil {
			return err
		}
		finished = append(finished, removable...)
	}
	return s.queues.Remove(ctx, finished)
}

// redriveMailing tries the messages of the letters of one mailing again, and returns the
// letters that can be removed: those whose message is tried again, and stale ones.
func (s *server) redriveMailing(ctx context.Context, id mailing.ID, stored []mailing.StoredLetter, done *Redriven,
) ([]mailing.StoredLetter, error) {
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

// redriving tries the messages of the letters of one mailing again, and returns the
// outcome of each letter. An unknown mailing makes all of them stale, so that they
// are removed. A mailing that allows no further attempts keeps all of them.
func (s *server) redriving(ctx context.Context, id mailing.ID, letters []mailing.DeadLetter) (mailing.Redriving, error) {
	if id == mailing.TestMailing {
		// A test message is not tried again. The caller can ask for a new one.
		return mailing.Redriving{Stale: letters}, nil
	}
	m, r, err := s.mailings.Redrive(ctx, id, letters)
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
			s.log.LogAttrs(ctx, slog.LevelInfo, "message redriven", slog.Int64("mailing_id", int64(id)), slog.Int64("message_id", int64(l.Message)),
				slog.Int64("client_id", int64(l.Message.Client())), slog.String("request_id", requestID(ctx)))
		}
	}
	return r, nil
}
