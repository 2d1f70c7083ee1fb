package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postrider/internal/mailing"
)

// CreateTest stores a test message as a batch that a sender can claim, and returns the
// message with the key of the batch. If a request with the same idempotency key has
// created a test message already, the error is [mailing.ErrCreated]. Then the id of
// this try stays unused.
func (s *Store) CreateTest(ctx context.Context, t mailing.Test, now time.Time, idem mailing.Idempotency) (mailing.Message, mailing.BatchKey, error) {
	n, err := s.nextTest(ctx)
	if err != nil {
		return mailing.Message{}, mailing.BatchKey{}, fmt.Errorf("take the next id of test messages: %w", err)
	}
	if n > int64(^mailing.ClientID(0)) {
		return mailing.Message{}, mailing.BatchKey{}, errors.New("all ids of test messages are used up")
	}
	b := mailing.TestBatch(mailing.ClientID(n), t, now) //nolint:gosec // G115: bounded above
	it, err := s.encodeBatch(b, mailing.Tests(now))
	if err != nil {
		return mailing.Message{}, mailing.BatchKey{}, err
	}
	record, err := s.idempotencyItems(idem, createdTest, it)
	if err != nil {
		return mailing.Message{}, mailing.BatchKey{}, err
	}
	// The record must be the last action: createdBefore relies on that.
	items := append(s.countsChange(mailing.TestMailing, b.Key.Slice, mailing.CountRecipients(b.Recipients)),
		put(s.tables.Batches, it, "", nil))
	items = append(items, record...)
	err = s.transact(ctx, items, "create test message %d", n)
	if createdBefore(idem, err, items) {
		return mailing.Message{}, mailing.BatchKey{}, mailing.ErrCreated
	}
	if err != nil {
		return mailing.Message{}, mailing.BatchKey{}, err
	}
	return s.message(b, b.Recipients[0]), b.Key, nil
}

// testMessage returns one test message, strongly consistent.
func (s *Store) testMessage(ctx context.Context, id mailing.MessageID) (mailing.Message, error) {
	// The id of the message determines the key of its batch.
	key := mailing.TestBatch(id.Client(), mailing.Test{}, time.Time{}).Key
	it, err := s.get(ctx, s.tables.Batches, batchKey(key), "read test message %d", id)
	if err != nil {
		return mailing.Message{}, err
	}
	if it == nil {
		return mailing.Message{}, mailing.NotFound("message")
	}
	return s.testOf(it)
}

// testOf returns the message of the batch of a test message. If the retention of the
// message is over, or the batch is not that of a test message, the error is a
// [mailing.KindNotFound].
func (s *Store) testOf(batch item) (mailing.Message, error) {
	found, err := s.batches(mailing.TestMailing, []item{batch})
	if err != nil {
		return mailing.Message{}, err
	}
	if len(found) == 0 || len(found[0].Recipients) != 1 || found[0].Test == nil {
		return mailing.Message{}, mailing.NotFound("message")
	}
	return s.message(found[0], found[0].Recipients[0]), nil
}
