package dynamo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"postrider/internal/mailing"
)

// Message returns one message, strongly consistent. The error is [mailing.KindNotFound]
// if the message never existed, its mailing is deleted, or the time for which messages
// are kept is over.
func (s *Store) Message(ctx context.Context, id mailing.MessageID) (mailing.Message, error) {
	if !id.Valid() {
		return mailing.Message{}, mailing.NotFound("message")
	}
	if id.Mailing() == mailing.TestMailing {
		return s.testMessage(ctx, id)
	}
	m, err := s.Mailing(ctx, id.Mailing())
	if mailing.KindOf(err) == mailing.KindNotFound || (err == nil && m.Deleted) {
		return mailing.Message{}, mailing.NotFound("message")
	}
	if err != nil {
		return mailing.Message{}, err
	}
	found, err := s.messagesTo(ctx, m, id.Client())
	if err != nil {
		return mailing.Message{}, err
	}
	if len(found) == 0 {
		return mailing.Message{}, mailing.NotFound("message")
	}
	if err := s.addPhones(ctx, found); err != nil {
		return mailing.Message{}, err
	}
	return found[0], nil
}

const (
	// lookupBatches is how many batches a look-up of one message reads together: the
	// number of full batches in a page of an expansion.
	lookupBatches = mailing.PageSize / mailing.BatchSize
	// lastBatch is the number of a batch that sorts after all batches of a page.
	lastBatch = 999
)

// messagesTo returns the message of a mailing to a client, without its phone: none or
// one.
func (s *Store) messagesTo(ctx context.Context, m mailing.Mailing, client mailing.ClientID) ([]mailing.Message, error) {
	b, n, err := s.batchOf(ctx, m, client)
	if err != nil || n < 0 {
		return nil, err
	}
	return []mailing.Message{s.message(b, b.Recipients[n])}, nil
}

// BatchOf returns the batch that holds the message of a mailing to a client, strongly
// consistent. ok is false if there is no such message.
func (s *Store) BatchOf(ctx context.Context, m mailing.Mailing, client mailing.ClientID) (b mailing.Batch, ok bool, err error) {
	b, n, err := s.batchOf(ctx, m, client)
	return b, n >= 0 && err == nil, err
}

// batchOf returns the batch that holds the message of a mailing to a client, and the
// index of the message in it; -1 if there is none.
//
// A page of an expansion is named for its first client. So the message can only be in
// the last page that begins at or before the client, and the search ends with the first
// batch of another page.
func (s *Store) batchOf(ctx context.Context, m mailing.Mailing, client mailing.ClientID) (b mailing.Batch, n int, err error) {
	if s.past(m) {
		return b, -1, nil
	}
	var page mailing.ClientID
	last := batchSort(mailing.BatchID{First: client, N: lastBatch})
	for {
		part, err := s.walk(ctx, walk{
			table: s.tables.Batches, descending: true, limit: lookupBatches, pages: 1,
			key: batchesBetween, values: between(batchPart(m.ID, client.Slice()), batchPrefix, last),
		})
		if err != nil {
			return b, -1, fmt.Errorf("look message %d up: %w", mailing.NewMessageID(m.ID, client), err)
		}
		batches, err := decodeAll(part.items, decodeBatch)
		if err != nil {
			return b, -1, err
		}
		for _, b := range batches {
			// The first batch belongs to the only page that can hold the message.
			if page == 0 {
				page = b.Key.Batch.First
			}
			if b.Key.Batch.First != page {
				return b, -1, nil
			}
			if n := recipientOf(b, client); n >= 0 {
				return b, n, nil
			}
		}
		if part.end {
			return b, -1, nil
		}
		last = part.last // this batch is read again, because both bounds are included
	}
}

// recipientOf returns the index of a client among the recipients of a batch; -1 if it is not
// there.
func recipientOf(b mailing.Batch, client mailing.ClientID) int {
	return slices.IndexFunc(b.Recipients, func(rec mailing.Recipient) bool { return rec.Client == client })
}

// batchesBetween is the key condition for the items of a partition from one sort key to
// another, both included. afterBatches sorts after all batches.
const (
	batchesBetween = "#part = :part AND #id BETWEEN :from AND :to"
	afterBatches   = batchPrefix + "~"
)

// between returns the values of [batchesBetween].
func between(part, from, to string) item {
	return item{":part": str(part), ":from": str(from), ":to": str(to)}
}

// batches decodes the batches of a mailing. It leaves out test messages whose retention
// is over.
func (s *Store) batches(id mailing.ID, items []item) ([]mailing.Batch, error) {
	if id != mailing.TestMailing {
		return decodeAll(items, decodeBatch)
	}
	kept := make([]item, 0, len(items))
	for _, it := range items {
		gone, err := s.gone(it)
		if err != nil {
			return nil, err
		}
		if !gone {
			kept = append(kept, it)
		}
	}
	return decodeAll(kept, decodeBatch)
}

// gone reports whether the retention of a test message is over. batch is its stored
// batch. DynamoDB removes an item up to some days after its ttl. Until then readers
// hide a message by the present end of its mailing. A test message has no mailing of
// its own, so readers hide it by its ttl.
func (s *Store) gone(batch item) (bool, error) {
	ttl, err := number(batch, "ttl")
	return ttl != 0 && ttl <= s.now().Unix(), err
}

// past reports whether the time for which the messages of m are kept is over.
func (s *Store) past(m mailing.Mailing) bool { return !s.now().Before(m.EndAt.Add(s.retention)) }

// message returns a recipient of a batch as the API shows it. It sets the phone of a
// test message only.
func (s *Store) message(b mailing.Batch, rec mailing.Recipient) mailing.Message {
	rec.Status = shown(b, rec, s.now())
	msg := mailing.Message{
		ID: mailing.NewMessageID(b.Key.Mailing, rec.Client), Member: rec, CreatedAt: b.CreatedAt, Test: b.Test,
	}
	if b.Test != nil {
		msg.Phone = b.Test.Phone
	}
	return msg
}

// shown returns the status that the API shows for a recipient. A pending recipient
// shows as [mailing.Sending] while a sender holds its batch.
func shown(b mailing.Batch, rec mailing.Recipient, now time.Time) mailing.MessageStatus {
	if rec.Status.Pending() && b.Holder != "" && now.Before(b.LeaseUntil) {
		return mailing.Sending
	}
	return rec.Status
}

// addPhones sets the phones of messages to the present phones of their clients. The
// phone of a deleted client is empty.
func (s *Store) addPhones(ctx context.Context, messages []mailing.Message) error {
	ids := make([]mailing.ClientID, len(messages))
	for i, msg := range messages {
		ids[i] = msg.Member.Client
	}
	clients, err := s.Clients(ctx, ids)
	if err != nil {
		return err
	}
	for i := range messages {
		messages[i].Phone = clients[messages[i].Member.Client].Phone
	}
	return nil
}
