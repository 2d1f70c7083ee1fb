package api

import (
	"context"
	"time"

	"postrider/internal/mailing"
)

// Clients is the directory of clients, as the API needs it.
type Clients interface {
	// CreateClient stores c under a new id. A phone of another client is
	// [mailing.KindConflict]. If the request of idem has created a client already,
	// the error is [mailing.ErrCreated].
	CreateClient(ctx context.Context, c mailing.Client, idem mailing.Idempotency) (mailing.Client, error)
	// Client reads a client. An unknown one is [mailing.KindNotFound].
	Client(ctx context.Context, id mailing.ClientID) (mailing.Client, error)
	// UpdateClient reads a client, changes it, and writes it if no other writer has
	// changed it since. Otherwise it starts again, so change may be called several
	// times. It returns an error of change unchanged.
	UpdateClient(ctx context.Context, id mailing.ClientID,
		change func(mailing.Client) (mailing.Client, error)) (mailing.Client, error)
	// DeleteClient removes a client. An unknown one is [mailing.KindNotFound].
	DeleteClient(ctx context.Context, id mailing.ClientID) error
	// ListClients returns one page in storage order. A cursor that is malformed or
	// of another list is [mailing.KindMalformed].
	ListClients(ctx context.Context, q mailing.ClientQuery) (mailing.List[mailing.Client], error)
	// CountAudience returns the exact number of clients that a filter chooses.
	CountAudience(ctx context.Context, f mailing.Filter) (int64, error)
	// Facets returns the tags that begin with a prefix, and all operator codes, that
	// clients have.
	Facets(ctx context.Context, prefix string) (mailing.Facets, error)
	// UpsertClients creates or changes the client of each row, and returns an
	// outcome for each, in the order of the rows. The rows must have passed
	// [mailing.ClientRow.Check], and their phones must differ. With an error, the
	// outcomes still say which rows are known to be done.
	UpsertClients(ctx context.Context, rows []mailing.ClientRow) ([]mailing.RowResult, error)
}

// Mailings are the mailings with their messages and counts, as the API needs them.
type Mailings interface {
	// Created returns what an earlier request with the same key has created, false
	// if there was none. A different request under the same key is
	// [mailing.KindInvalid].
	Created(ctx context.Context, idem mailing.Idempotency) (mailing.Creation, bool, error)
	// CreateMailing stores m under a new id. If the request of idem has created a
	// mailing already, the error is [mailing.ErrCreated].
	CreateMailing(ctx context.Context, m mailing.Mailing, idem mailing.Idempotency) (mailing.Mailing, error)
	// Mailing reads a mailing, also a deleted one. An unknown one is
	// [mailing.KindNotFound].
	Mailing(ctx context.Context, id mailing.ID) (mailing.Mailing, error)
	// UpdateMailing reads a mailing, changes it, and writes it if no other writer
	// has changed it since. Otherwise it starts again, so change may be called
	// several times. It returns an error of change unchanged.
	UpdateMailing(ctx context.Context, id mailing.ID,
		change func(mailing.Mailing) (mailing.Mailing, error)) (mailing.Mailing, error)
	// ListMailings returns one page, newest first, without deleted mailings.
	ListMailings(ctx context.Context, q mailing.MailingQuery) (mailing.List[mailing.Mailing], error)
	// Progress returns the counts of each mailing and whether it is expanded, in
	// the order of ms.
	Progress(ctx context.Context, ms []mailing.Mailing) ([]mailing.Progress, error)
	// Overall sums up the mailings of one status, or all for "".
	Overall(ctx context.Context, status mailing.Status) (mailing.Overall, error)
	// Overview returns a page of mailings with their progress, and the sums over the
	// mailings of the status of q. If seen is the version of an earlier overview by
	// the same query, and nothing has changed since, Unchanged is true. Any other
	// text is ignored.
	Overview(ctx context.Context, q mailing.MailingQuery, seen string) (mailing.Overview, error)
	// Statistics reads a mailing, also a deleted one, with its counts and its rate.
	// An unknown one is [mailing.KindNotFound].
	Statistics(ctx context.Context, id mailing.ID) (mailing.Statistics, error)
	// MessagesOf returns one page of the messages of the mailing of st.
	MessagesOf(ctx context.Context, st mailing.Statistics, q mailing.MessageQuery) (mailing.List[mailing.Message], error)
	// Series returns what happened in a mailing over time: the points of
	// [mailing.SeriesStep] that are not zero, in the order of time.
	Series(ctx context.Context, m mailing.Mailing) ([]mailing.Point, error)
	// ListMessages returns one page of messages.
	ListMessages(ctx context.Context, q mailing.MessageQuery) (mailing.List[mailing.Message], error)
	// Redrive requeues the failures that dead letters of one mailing report. The
	// error is [mailing.KindConflict] or [mailing.KindNotFound] if the mailing
	// allows no further attempts.
	Redrive(ctx context.Context, id mailing.ID, letters []mailing.DeadLetter) (mailing.Mailing, mailing.Redriving, error)
	// CreateTest stores a test message, and returns it with the batch that has to
	// be delivered. If the request of idem has created it already, the error is
	// [mailing.ErrCreated].
	CreateTest(ctx context.Context, t mailing.Test, now time.Time,
		idem mailing.Idempotency) (mailing.Message, mailing.BatchKey, error)
	// OldestWaiting finds the batch that could be sent and has waited longest, and
	// returns the instant since which it has waited. since is the zero time if no
	// batch waits. known is false if since cannot be determined.
	OldestWaiting(ctx context.Context) (since time.Time, known bool, err error)
	// Outage returns the state of the sending API that all senders share.
	Outage(ctx context.Context) (mailing.Outage, error)
	// Message reads a message. An unknown one is [mailing.KindNotFound].
	Message(ctx context.Context, id mailing.MessageID) (mailing.Message, error)
}

// Queues are the queues, as the API needs them.
type Queues interface {
	// Depths returns the approximate number of entries of each queue.
	Depths(ctx context.Context) ([]mailing.QueueDepth, error)
	// Deliver queues batches for the sender.
	Deliver(ctx context.Context, keys []mailing.BatchKey) error
	// Peek returns some dead letters and leaves them in the queue.
	Peek(ctx context.Context) ([]mailing.StoredLetter, error)
	// Take returns some dead letters, and hides them for a time, in whole seconds of at
	// least one. Letters that are not removed within it come back. If it returns none, the
	// queue is probably empty.
	Take(ctx context.Context, hidden time.Duration) ([]mailing.StoredLetter, error)
	// Remove deletes letters that [Queues.Take] has returned.
	Remove(ctx context.Context, letters []mailing.StoredLetter) error
}

// Keys are the keys of the API.
type Keys interface {
	// Caller returns the caller that holds a key, false if the key is unknown. An
	// error means that the keys cannot be read.
	Caller(ctx context.Context, key string) (mailing.Caller, bool, error)
}

// Tasks queues work for the scheduler.
type Tasks interface {
	// QueueTasks queues the task that the mailing needs now, if any. If the start
	// is ahead, the task is delayed until then.
	QueueTasks(ctx context.Context, m mailing.Mailing) error
	// QueueSweep asks for the work that otherwise begins each minute.
	QueueSweep(ctx context.Context) error
}
