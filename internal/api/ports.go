package api

import (
	"context"
	"time"

	"postrider/internal/mailing"
)

// Clients is the directory, as the API needs it.
type Clients interface {
	// CreateClient keeps c under an id that it gives. A taken phone is
	// [mailing.KindConflict]; [mailing.ErrCreated] where once has created it.
	CreateClient(ctx context.Context, c mailing.Client, once mailing.Once) (mailing.Client, error)
	// Client reads one; [mailing.KindNotFound] where there is none.
	Client(ctx context.Context, id mailing.ClientID) (mailing.Client, error)
	// UpdateClient reads, changes, and writes if nobody else has written since;
	// change may be called again. Its error comes back unchanged.
	UpdateClient(ctx context.Context, id mailing.ClientID, change func(mailing.Client) (mailing.Client, error)) (mailing.Client, error)
	// DeleteClient removes one; [mailing.KindNotFound] where there is none.
	DeleteClient(ctx context.Context, id mailing.ClientID) error
	// ListClients gives one page in storage order; a malformed or foreign
	// cursor is [mailing.KindMalformed].
	ListClients(ctx context.Context, q mailing.ClientQuery) (mailing.List[mailing.Client], error)
	// CountAudience is how many clients a filter chooses, exactly.
	CountAudience(ctx context.Context, f mailing.Filter) (int64, error)
	// UpsertClients makes each row the client that it describes, and says in
	// their order what became of them. Rows must have passed
	// [mailing.ClientRow.Check], and their phones differ.
	UpsertClients(ctx context.Context, rows []mailing.ClientRow) ([]mailing.RowResult, error)
}

// Mailings are the mailings with their messages and counts, as the API needs
// them.
type Mailings interface {
	// Created reads what a request has created before; false if nothing. Another
	// request under the same key is [mailing.KindInvalid].
	Created(ctx context.Context, once mailing.Once) (mailing.Creation, bool, error)
	// CreateMailing keeps m under an id that it gives; [mailing.ErrCreated] where
	// once has created it.
	CreateMailing(ctx context.Context, m mailing.Mailing, once mailing.Once) (mailing.Mailing, error)
	// Mailing reads one; [mailing.KindNotFound] where there is none. It may give
	// one that is deleted.
	Mailing(ctx context.Context, id mailing.MailingID) (mailing.Mailing, error)
	// UpdateMailing reads, changes, and writes if nobody else has written since;
	// change may be called again. Its error comes back unchanged.
	UpdateMailing(ctx context.Context, id mailing.MailingID, change func(mailing.Mailing) (mailing.Mailing, error)) (mailing.Mailing, error)
	// ListMailings gives one page, newest first, without deleted ones.
	ListMailings(ctx context.Context, q mailing.MailingQuery) (mailing.List[mailing.Mailing], error)
	// Progress tells how far each mailing is, in the same order.
	Progress(ctx context.Context, ms []mailing.Mailing) ([]mailing.Progress, error)
	// Overall sums up the mailings of one status, of all where it is "".
	Overall(ctx context.Context, status mailing.Status) (mailing.Overall, error)
	// Rate is how many messages a second were sent over the last minute.
	Rate(ctx context.Context, id mailing.MailingID) (float64, error)
	// ListMessages gives one page of messages.
	ListMessages(ctx context.Context, q mailing.MessageQuery) (mailing.List[mailing.Message], error)
	// Redrive queues the failures that dead letters of one mailing tell of anew;
	// [mailing.KindConflict] or [mailing.KindNotFound] where nothing of it can be
	// tried again.
	Redrive(ctx context.Context, id mailing.MailingID, letters []mailing.DeadLetter) (mailing.Mailing, mailing.Redriving, error)
	// CreateTest keeps a test message, and says which batch is to be delivered;
	// [mailing.ErrCreated] where once has created it.
	CreateTest(ctx context.Context, t mailing.Test, now time.Time, once mailing.Once) (mailing.Message, mailing.BatchKey, error)
	// OldestWaiting is since when what could be sent has waited, at the longest;
	// the zero time if nothing waits, or with known false if that cannot be said.
	OldestWaiting(ctx context.Context) (since time.Time, known bool, err error)
	// Message reads one; [mailing.KindNotFound] where there is none.
	Message(ctx context.Context, id mailing.MessageID) (mailing.Message, error)
}

// Queues are the queues themselves.
type Queues interface {
	// Depths tells what each holds.
	Depths(ctx context.Context) ([]mailing.QueueDepth, error)
	// Deliver queues batches for the sender.
	Deliver(ctx context.Context, keys []mailing.BatchKey) error
	// Peek looks at some dead letters, and leaves them.
	Peek(ctx context.Context) ([]mailing.StoredLetter, error)
	// Take takes some dead letters, each once for a minute; none is the end.
	Take(ctx context.Context) ([]mailing.StoredLetter, error)
	// Remove removes letters that were taken.
	Remove(ctx context.Context, letters []mailing.StoredLetter) error
}

// Keys are the keys of the API.
type Keys interface {
	// Caller tells who holds a key; false if it is nobody's. An error means that
	// it cannot be told.
	Caller(ctx context.Context, key string) (mailing.Caller, bool, error)
}

// Tasks hands work to the scheduler.
type Tasks interface {
	// QueueTasks queues what the mailing needs now: a task per slice, delayed
	// where its start is ahead.
	QueueTasks(ctx context.Context, m mailing.Mailing) error
	// QueueSweep asks for the work that is otherwise begun each minute.
	QueueSweep(ctx context.Context) error
}
