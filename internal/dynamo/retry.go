package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// requeueBatches is how many batches are queued again in one transaction at most. It
// leaves room among its 100 actions for the mailing, its row, the totals, and the
// counts of up to 16 slices.
const requeueBatches = 64

// SliceBatches returns batches of a slice of a mailing in storage order, strongly
// consistent, as many as one transaction can change. It begins after the sort key
// after, "" for the beginning. next is where to continue, "" at the end.
func (s *Store) SliceBatches(ctx context.Context, id mailing.ID, slice int, after string) (batches []mailing.Batch, next string, err error) {
	part, err := s.batchesAfter(ctx, id, slice, after)
	if err != nil {
		return nil, "", err
	}
	if batches, err = s.batches(id, part.items); err != nil {
		return nil, "", err
	}
	if !part.end {
		next = part.last
	}
	return batches, next, nil
}

// Requeue writes batches of one slice with failures queued again, and the counts of the
// slice, in one transaction. A batch that has a holder, or whose recipients have
// changed since it was read, is left as it is; left holds these.
//
// If m is finished by now, or was retried again, nothing is written, and the error is a
// [mailing.KindConflict].
func (s *Store) Requeue(ctx context.Context, m mailing.Mailing, slice int, requeuings []mailing.Requeuing) (left []mailing.BatchKey, err error) {
	rest := requeuings
	for len(rest) > 0 {
		items, err := s.requeueItems(m, rest)
		if err != nil {
			return nil, err
		}
		items = append(items, s.stillRetried(m))
		what := fmt.Sprintf("queue failures of mailing %d slice %d again", m.ID, slice)
		err = s.transact(ctx, what, items)
		if err == nil {
			return left, nil
		}
		actions, ok := refused(err)
		if !ok {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		// The check of the mailing is the last action. If it fails, no batch may be
		// written, whatever else was refused.
		if slices.Contains(actions, len(items)-1) {
			return nil, mailing.Conflict("mailing %d was finished, or retried again, while its failures were queued", m.ID)
		}
		var lost []mailing.Requeuing
		rest, lost = without(rest, actions)
		for _, r := range lost {
			left = append(left, r.Batch.Key)
		}
	}
	return left, nil
}

// stillRetried returns the condition that m is not finished and that no later retry was
// made. Without a retry, m must still have none.
func (s *Store) stillRetried(m mailing.Mailing) types.TransactWriteItem {
	check := &types.ConditionCheck{
		TableName: &s.tables.Mailings, Key: mailingKey(m.ID),
		ConditionExpression:       aws.String("#finished = :false AND attribute_not_exists(#retried)"),
		ExpressionAttributeNames:  map[string]string{"#finished": "finished", "#retried": "retried_at"},
		ExpressionAttributeValues: item{":false": &types.AttributeValueMemberBOOL{Value: false}},
	}
	if !m.RetriedAt.IsZero() {
		check.ConditionExpression = aws.String("#finished = :false AND #retried = :seen")
		check.ExpressionAttributeValues[":seen"] = millis(m.RetriedAt)
	}
	return types.TransactWriteItem{ConditionCheck: check}
}

// without splits all by whether their action in a transaction was refused. The actions
// of all must be the first ones of the transaction, one each; other indexes are
// ignored.
func without[T any](all []T, refused []int) (kept, lost []T) {
	gone := make(map[int]bool, len(refused))
	for _, i := range refused {
		gone[i] = true
	}
	for i, one := range all {
		if gone[i] {
			lost = append(lost, one)
		} else {
			kept = append(kept, one)
		}
	}
	return kept, lost
}

// requeueItems returns the writes of batches with failures queued again, in their
// order, and then those of the counts of their slices. The condition on each batch
// makes the change of the counts exact: no sender holds the batch, and its recipients
// are those that were read.
func (s *Store) requeueItems(m mailing.Mailing, requeuings []mailing.Requeuing) ([]types.TransactWriteItem, error) {
	var items []types.TransactWriteItem
	var changes [mailing.Slices]mailing.Counts
	for _, r := range requeuings {
		it, err := s.encodeBatch(r.Batch, m)
		if err != nil {
			return nil, err
		}
		seen, err := encodeRecipients(r.Seen.Recipients)
		if err != nil {
			return nil, err
		}
		items = append(items, types.TransactWriteItem{Put: &types.Put{
			TableName: &s.tables.Batches, Item: it,
			ConditionExpression:       aws.String("attribute_not_exists(#holder) AND #members = :seen"),
			ExpressionAttributeNames:  map[string]string{"#holder": "holder", "#members": "members"},
			ExpressionAttributeValues: item{":seen": str(seen)},
		}})
		slice := r.Batch.Key.Slice
		changes[slice] = changes[slice].Plus(r.Change)
	}
	for slice, change := range changes {
		items = append(items, s.countsChange(m.ID, slice, change)...)
	}
	return items, nil
}

// countsChange returns the write that changes the counts of a slice; none for no
// change.
func (s *Store) countsChange(id mailing.ID, slice int, change mailing.Counts) []types.TransactWriteItem {
	a := newAdder()
	a.addCounts("", change)
	if a.expression() == "" {
		return nil
	}
	return []types.TransactWriteItem{{Update: &types.Update{
		TableName: &s.tables.Batches, Key: sliceKey(id, slice), UpdateExpression: aws.String(a.expression()),
		ExpressionAttributeNames: a.names, ExpressionAttributeValues: a.values,
	}}}
}

// MarkRetried notes that the failures of a slice from before a retry are queued again.
// It never replaces the mark of a later retry.
func (s *Store) MarkRetried(ctx context.Context, id mailing.ID, slice int, at time.Time) error {
	_, err := s.api.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.tables.Batches, Key: sliceKey(id, slice),
		ConditionExpression:       aws.String("attribute_not_exists(#retried) OR #retried < :at"),
		UpdateExpression:          aws.String("SET #retried = :at"),
		ExpressionAttributeNames:  map[string]string{"#retried": "retried_at"},
		ExpressionAttributeValues: item{":at": millis(at)},
	})
	if _, ok := refused(err); ok {
		return nil // a later retry is marked already
	}
	if err != nil {
		return fmt.Errorf("mark slice %d of mailing %d as retried: %w", slice, id, err)
	}
	return nil
}

// Redrive queues the failures named by dead letters of one mailing again, and reopens
// the mailing if it was completed, in one transaction. A letter is stale if the message
// no longer has that failure. It is kept if a sender holds its batch, or the
// transaction has no room for the batch.
//
// If nothing of the mailing can be tried again, the error is a [mailing.KindConflict]
// or [mailing.KindNotFound]. If other writes come in between in each of editTries
// tries, all letters are kept.
func (s *Store) Redrive(ctx context.Context, id mailing.ID, letters []mailing.DeadLetter) (mailing.Mailing, mailing.Redriving, error) {
	for n := range editTries {
		old, err := s.Mailing(ctx, id)
		if err != nil {
			return old, mailing.Redriving{}, err
		}
		m, err := old.Redriven(s.now())
		if err != nil {
			return old, mailing.Redriving{}, err
		}
		// The batches are read after the mailing. If the mailing changes after that,
		// the write is refused, and all is read again.
		r, requeuings, err := s.redriving(ctx, m, letters)
		if err != nil {
			return old, mailing.Redriving{}, err
		}
		done, err := s.saveRedriven(ctx, old, m, requeuings)
		if err != nil {
			return old, mailing.Redriving{}, err
		}
		if done {
			return m, r, nil
		}
		if err := s.wait(ctx, backoff(n)); err != nil {
			return old, mailing.Redriving{}, fmt.Errorf("redrive letters of mailing %d: %w", id, err)
		}
	}
	return mailing.Mailing{}, mailing.Redriving{Kept: letters}, nil
}

// redriving decides what becomes of each letter, and returns the changed batches.
// Letters of the same batch are one change.
func (s *Store) redriving(ctx context.Context, m mailing.Mailing, letters []mailing.DeadLetter) (r mailing.Redriving, requeuings []mailing.Requeuing, err error) {
	batches := map[mailing.BatchKey]mailing.Batch{}
	wanted := map[mailing.BatchKey][]mailing.DeadLetter{}
	for _, l := range letters {
		b, n, err := s.batchOf(ctx, m, l.Message.Client())
		switch {
		case err != nil:
			return r, nil, err
		case n < 0 || !l.Is(b.Recipients[n]):
			r.Stale = append(r.Stale, l)
		// A held batch is not written, because its sender settles it as a whole. A
		// letter whose batch is chosen already needs no more room.
		case b.Holder != "" || (len(batches) == requeueBatches && wanted[b.Key] == nil):
			r.Kept = append(r.Kept, l)
		default:
			batches[b.Key] = b
			wanted[b.Key] = append(wanted[b.Key], l)
			r.Requeued = append(r.Requeued, l)
		}
	}
	for key, b := range batches {
		requeuing, _ := b.Requeued(func(rec mailing.Recipient) bool {
			return slices.ContainsFunc(wanted[key], func(l mailing.DeadLetter) bool { return l.Message.Client() == rec.Client && l.Is(rec) })
		}, s.now())
		requeuings = append(requeuings, requeuing)
	}
	return r, requeuings, nil
}

// saveRedriven writes the changed batches and the mailing. It reports false, and writes
// nothing, if one of them has changed since it was read. Without changed batches the
// mailing stays as it is, too.
func (s *Store) saveRedriven(ctx context.Context, old, updated mailing.Mailing, requeuings []mailing.Requeuing) (bool, error) {
	if len(requeuings) == 0 {
		return true, nil
	}
	items, err := s.requeueItems(updated, requeuings)
	if err != nil {
		return false, err
	}
	saved, err := s.saveItems(old, updated)
	if err != nil {
		return false, err
	}
	what := fmt.Sprintf("redrive %d batches of mailing %d", len(requeuings), old.ID)
	err = s.transact(ctx, what, append(items, saved...))
	if _, ok := refused(err); ok {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	return true, nil
}

// CreateTest stores a test message as a batch that a sender can claim, and returns the
// message with the key of the batch. If the request has created it already, the error
// is [mailing.ErrCreated]; the id that was given out for this try then stays unused.
func (s *Store) CreateTest(ctx context.Context, t mailing.Test, now time.Time, idem mailing.Idempotency) (mailing.Message, mailing.BatchKey, error) {
	n, err := s.nextTest(ctx)
	if err != nil {
		return mailing.Message{}, mailing.BatchKey{}, fmt.Errorf("count up the id of test messages: %w", err)
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
		types.TransactWriteItem{Put: &types.Put{TableName: &s.tables.Batches, Item: it}})
	items = append(items, record...)
	err = s.transact(ctx, fmt.Sprintf("create test message %d", n), items)
	if createdBefore(idem, err, items) {
		return mailing.Message{}, mailing.BatchKey{}, mailing.ErrCreated
	}
	if err != nil {
		return mailing.Message{}, mailing.BatchKey{}, fmt.Errorf("create test message %d: %w", n, err)
	}
	return s.message(b, b.Recipients[0]), b.Key, nil
}

// testMessage returns one test message, strongly consistent.
func (s *Store) testMessage(ctx context.Context, id mailing.MessageID) (mailing.Message, error) {
	// The id of the message determines the key of its batch.
	key := mailing.TestBatch(id.Client(), mailing.Test{}, time.Time{}).Key
	out, err := s.api.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.tables.Batches, Key: batchKey(key), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return mailing.Message{}, fmt.Errorf("read test message %d: %w", id, err)
	}
	if out.Item == nil {
		return mailing.Message{}, mailing.NotFound("message")
	}
	return s.testOf(out.Item)
}

// testOf returns the message of the batch of a test message. A batch that is past its
// time, or is not one of a test message, is a [mailing.KindNotFound].
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
