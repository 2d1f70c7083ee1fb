package dynamo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// batchWrite is a changed batch, with the difference that it makes to the counts. It is
// written only if the stored batch meets condition, in which seen is the value of
// :seen.
type batchWrite struct {
	batch           mailing.Batch
	condition, seen string
	change          mailing.Counts
}

// settleWrite returns the write of a settlement. The write replaces the whole item, so
// its condition is that no other sender has claimed the batch.
func settleWrite(one mailing.Settlement) batchWrite {
	return batchWrite{one.Batch, "#holder = :seen", one.Holder, one.Change}
}

// requeueWrites returns the writes of batches with failures queued again. Their
// condition is that no sender holds the batch, and that its recipients are those that
// were read. So the change of the counts is exact.
func requeueWrites(requeuings []mailing.Requeuing) ([]batchWrite, error) {
	writes := make([]batchWrite, len(requeuings))
	for i, r := range requeuings {
		seen, err := encodeRecipients(r.Seen.Recipients)
		if err != nil {
			return nil, fmt.Errorf("encode the recipients of batch %s: %w", r.Seen.Key, err)
		}
		writes[i] = batchWrite{r.Batch, "attribute_not_exists(#holder) AND #members = :seen", seen, r.Change}
	}
	return writes, nil
}

// batchItems returns one action for each of writes, in the same order, and then the
// actions that change the counts of their slices.
func (s *Store) batchItems(m mailing.Mailing, writes []batchWrite) ([]types.TransactWriteItem, error) {
	items := make([]types.TransactWriteItem, 0, len(writes)+1)
	var changes [mailing.Slices]mailing.Counts
	for _, w := range writes {
		it, err := s.encodeBatch(w.batch, m)
		if err != nil {
			return nil, err
		}
		items = append(items, put(s.tables.Batches, it, w.condition, item{":seen": str(w.seen)}))
		slice := w.batch.Key.Slice
		changes[slice] = changes[slice].Plus(w.change)
	}
	for slice, change := range changes {
		items = append(items, s.countsChange(m.ID, slice, change)...)
	}
	return items, nil
}

// countsChange returns the action that changes the counts of a slice; none for no change.
func (s *Store) countsChange(id mailing.ID, slice int, change mailing.Counts) []types.TransactWriteItem {
	var a adder
	a.addCounts("", change)
	return a.actions(s.tables.Batches, sliceKey(id, slice))
}

// keysOf returns the keys of the batches of writes.
func keysOf(writes []batchWrite) (keys []mailing.BatchKey) {
	for _, w := range writes {
		keys = append(keys, w.batch.Key)
	}
	return keys
}

// Settle writes the batches of one slice of a mailing as their holders leave them, and
// changes the counts of the slice accordingly, in one transaction. So the counts always
// match the messages.
//
// A batch that its sender no longer holds stays as it is, and lost has its key; the
// transaction is repeated without it. After an error the same call, with the same m,
// may be repeated: the token of a transaction comes from its content, so the
// transaction is written once. If the first call had left out lost batches, the
// repeated call may also return batches as lost that the first call has written.
func (s *Store) Settle(ctx context.Context, m mailing.Mailing, slice int, settlements []mailing.Settlement) (lost []mailing.BatchKey, err error) {
	writes := make([]batchWrite, len(settlements))
	for i, one := range settlements {
		writes[i] = settleWrite(one)
	}
	refusals, err := writeEach(writes, func(rest []batchWrite) error {
		items, err := s.batchItems(m, rest)
		if err != nil {
			return err
		}
		return s.transactAs(ctx, contentToken(rest), items, "settle %d batches of mailing %d slice %d", len(rest), m.ID, slice)
	})
	return keysOf(refusals), err
}

// contentToken returns a ClientRequestToken: the same one for the same writes, and a
// different one for different writes. It has 32 characters; DynamoDB accepts up to 36.
func contentToken(writes []batchWrite) string {
	hash := sha256.New()
	for _, w := range writes {
		fmt.Fprintf(hash, "%s %s %+v %+v\n", w.batch.Key, w.seen, w.batch, w.change)
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

// requeueBatches is how many batches are queued again in one transaction at most. The
// transaction may have 100 actions. The other actions change the mailing, its row, the
// totals, and the counts of up to 16 slices.
const requeueBatches = 64

// Requeue writes batches of one slice with failures queued again, and the counts of the
// slice, in one transaction. A batch that has a holder, or whose recipients have
// changed since it was read, stays as it is. left has the keys of these batches.
//
// If m is finished by now, or was retried again, nothing is written, and the error is a
// [mailing.KindConflict].
func (s *Store) Requeue(ctx context.Context, m mailing.Mailing, slice int, requeuings []mailing.Requeuing) (left []mailing.BatchKey, err error) {
	writes, err := requeueWrites(requeuings)
	if err != nil {
		return nil, err
	}
	refusals, err := writeEach(writes, func(rest []batchWrite) error {
		items, err := s.batchItems(m, rest)
		if err != nil {
			return err
		}
		return s.transact(ctx, append(items, s.stillRetried(m)), "queue failures of mailing %d slice %d again", m.ID, slice)
	})
	// Beside the batches, only the check of the mailing can be refused.
	if _, ok := refused(err); ok {
		return nil, mailing.Conflict("mailing %d was finished, or retried again, while its failures were queued", m.ID)
	}
	return keysOf(refusals), err
}

// stillRetried returns the check that m is not finished and that no later retry was
// made. If m has no retry, the check is that the stored mailing has none.
func (s *Store) stillRetried(m mailing.Mailing) types.TransactWriteItem {
	condition, values := "#finished = :false AND attribute_not_exists(#retried_at)", item{":false": boolean(false)}
	if !m.RetriedAt.IsZero() {
		condition, values[":seen"] = "#finished = :false AND #retried_at = :seen", millis(m.RetriedAt)
	}
	return check(s.tables.Mailings, mailingKey(m.ID), condition, values)
}

// SliceBatches returns batches of a slice of a mailing in storage order, strongly
// consistent. It returns at most as many as one transaction can change. It begins after
// the sort key after, "" for the beginning. next is where to continue, "" at the end.
func (s *Store) SliceBatches(ctx context.Context, id mailing.ID, slice int, after string) (batches []mailing.Batch, next string, err error) {
	part, err := s.batchesAfter(ctx, id, slice, after)
	if err != nil {
		return nil, "", err
	}
	batches, err = s.batches(id, part.items)
	if !part.end {
		next = part.last
	}
	return batches, next, err
}

// MarkRetried notes that a retry has queued the failures of a slice again. at is the
// instant of the retry. It never replaces the mark of a later retry.
func (s *Store) MarkRetried(ctx context.Context, id mailing.ID, slice int, at time.Time) error {
	_, err := s.update(ctx, update{
		table: s.tables.Batches, key: sliceKey(id, slice), change: "SET #retried_at = :at",
		condition: "attribute_not_exists(#retried_at) OR #retried_at < :at", values: item{":at": millis(at)},
	}, "mark slice %d of mailing %d as retried", slice, id)
	return err
}
