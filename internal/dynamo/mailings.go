package dynamo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// createTries is how often the creation of a mailing is tried. A try is refused only if
// another process was given the id. So of the processes that try at the same time, at
// least one succeeds.
const createTries = 40

// CreateMailing gives m the next id, or the first one in new tables, and stores it as
// live, in one transaction that also moves the counter. If a request with the same
// idempotency key has created a mailing already, the error is [mailing.ErrCreated].
//
// CreateMailing does not read the counter first. It assumes that the counter has the
// last id that this process knows. If another process has moved the counter, DynamoDB
// refuses the try and returns the counter, and the next try uses its value.
func (s *Store) CreateMailing(ctx context.Context, m mailing.Mailing, idem mailing.Idempotency) (mailing.Mailing, error) {
	for n := range createTries {
		last := s.lastMailing.Load()
		// The largest mailing id keeps the ids of messages below 2^53.
		if last >= int64(mailing.MaxID) {
			return mailing.Mailing{}, fmt.Errorf("all %d ids of mailings are used up", mailing.MaxID)
		}
		m.ID = mailing.ID(last + 1) //nolint:gosec // G115: bounded above
		if last == 0 {
			m.ID = s.beginning()
		}
		items, err := s.creation(m, last, idem)
		if err != nil {
			return mailing.Mailing{}, err
		}
		err = s.transact(ctx, items, "create mailing %d", m.ID)
		if err == nil {
			// Another goroutine may have stored a newer id, which must stay.
			s.lastMailing.CompareAndSwap(last, int64(m.ID))
			return m, nil
		}
		// This check comes before the check of the counter: if both conditions failed,
		// an earlier request has created the mailing, and a new id would not help.
		if createdBefore(idem, err, items) {
			return mailing.Mailing{}, mailing.ErrCreated
		}
		if _, ok := refused(err); !ok {
			return mailing.Mailing{}, err
		}
		given, err := counterOf(err)
		if err != nil {
			return mailing.Mailing{}, fmt.Errorf("create mailing %d: %w", m.ID, err)
		}
		s.lastMailing.Store(given)
		// The first refusal needs no wait: it only shows that the last known id was out
		// of date.
		if n > 0 {
			if err := s.clock.Sleep(ctx, backoff(n)); err != nil {
				return mailing.Mailing{}, fmt.Errorf("create mailing %d: %w", m.ID, err)
			}
		}
	}
	return mailing.Mailing{}, mailing.Conflict("others keep creating mailings at the same time: try again")
}

// creation returns the writes for a new mailing. The first write moves the counter, on
// the condition that its value is still last. The final write is the record of the
// request, if the request has an idempotency key.
func (s *Store) creation(m mailing.Mailing, last int64, idem mailing.Idempotency) ([]types.TransactWriteItem, error) {
	it, err := encodeMailing(m)
	if err != nil {
		return nil, err
	}
	record, err := s.idempotencyItems(idem, createdMailing, it)
	if err != nil {
		return nil, err
	}
	return append([]types.TransactWriteItem{
		s.counterMove(m.ID, last),
		put(s.tables.Mailings, it, isNew, nil),
		put(s.tables.Mailings, liveKey(m.ID), "", nil),
	}, record...), nil
}

// Mailing returns one mailing, strongly consistent. A deleted mailing stays stored,
// marked as deleted, also after all its messages are accounted for.
func (s *Store) Mailing(ctx context.Context, id mailing.ID) (mailing.Mailing, error) {
	if id == 0 || id > mailing.MaxID {
		return mailing.Mailing{}, mailing.NotFound("mailing")
	}
	it, err := s.get(ctx, s.tables.Mailings, mailingKey(id), "read mailing %d", id)
	if err != nil {
		return mailing.Mailing{}, err
	}
	if it == nil {
		return mailing.Mailing{}, mailing.NotFound("mailing")
	}
	return decodeMailing(it)
}

// Mailings returns several mailings, strongly consistent. Unknown ids are left out. If
// a mailing cannot be decoded, there is an error, and the others are still returned.
func (s *Store) Mailings(ctx context.Context, ids []mailing.ID) (map[mailing.ID]mailing.Mailing, error) {
	items, err := s.mailingItems(ctx, ids)
	if err != nil {
		return nil, err
	}
	return decodeMailings(items)
}

// mailingItems reads the items of several mailings.
func (s *Store) mailingItems(ctx context.Context, ids []mailing.ID) ([]item, error) {
	keys := make([]item, len(ids))
	for i, id := range ids {
		keys[i] = mailingKey(id)
	}
	items, err := s.batchGet(ctx, s.tables.Mailings, keys, true)
	if err != nil {
		return nil, fmt.Errorf("read %d mailings: %w", len(ids), err)
	}
	return items, nil
}

// decodeMailings reads mailings from their items. With an error it still returns those
// that can be decoded.
func decodeMailings(items []item) (map[mailing.ID]mailing.Mailing, error) {
	found := make(map[mailing.ID]mailing.Mailing, len(items))
	var broken []error
	for _, it := range items {
		m, err := decodeMailing(it)
		if err != nil {
			broken = append(broken, err)
			continue
		}
		found[m.ID] = m
	}
	return found, errors.Join(broken...)
}

// Live returns all mailings that are not finished, oldest first. A mailing that cannot
// be read is logged and left out, so that work on the others goes on. If none can be
// read, that is an error.
func (s *Store) Live(ctx context.Context) ([]mailing.Mailing, error) {
	ids, err := s.liveIDs(ctx)
	if err != nil {
		return nil, err
	}
	items, err := s.mailingItems(ctx, ids)
	if err != nil {
		return nil, err
	}
	return readableLive(ctx, ids, items)
}

// liveIDs returns the ids of all mailings that are not finished, oldest first.
func (s *Store) liveIDs(ctx context.Context) ([]mailing.ID, error) {
	var ids []mailing.ID
	w := walk{table: s.tables.Mailings, key: "#part = :live", values: item{":live": str(livePart)}}
	for pages := dynamodb.NewQueryPaginator(s.api, w.input()); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list live mailings: %w", err)
		}
		for _, it := range page.Items {
			var row struct {
				ID mailing.ID `dynamodbav:"id,string"`
			}
			if err := attributevalue.UnmarshalMap(it, &row); err != nil {
				return nil, fmt.Errorf("read a live row: %w", err)
			}
			ids = append(ids, row.ID)
		}
	}
	return ids, nil
}

// readableLive returns the mailings with these ids, in their order, from their items. A
// mailing that cannot be read is logged and left out. If none can be read, that is an
// error.
func readableLive(ctx context.Context, ids []mailing.ID, items []item) ([]mailing.Mailing, error) {
	found, err := decodeMailings(items)
	switch {
	case err != nil && len(found) == 0 && len(ids) > 0:
		return nil, err
	case err != nil:
		slog.ErrorContext(ctx, "some live mailings cannot be read", "error", err)
	}
	live := make([]mailing.Mailing, 0, len(ids))
	for _, id := range ids {
		// The order is that of the rows. A mailing that could not be read is skipped.
		if m, ok := found[id]; ok {
			live = append(live, m)
		}
	}
	return live, nil
}

// editTries is how often a change of a mailing is tried, if other changes come in
// between.
const editTries = 10

// UpdateMailing reads a mailing, calls change with it, and writes the mailing that
// change returns. If another process writes the mailing in between, UpdateMailing
// begins again. So it may call change several times. If change keeps the version,
// nothing is written.
func (s *Store) UpdateMailing(ctx context.Context, id mailing.ID, change func(mailing.Mailing) (mailing.Mailing, error)) (mailing.Mailing, error) {
	return s.updateMailing(ctx, mailing.Mailing{ID: id}, change)
}

// updateMailing is UpdateMailing for a mailing that was already read as m. If the
// version of m is 0, updateMailing reads the mailing first.
func (s *Store) updateMailing(ctx context.Context, m mailing.Mailing, change func(mailing.Mailing) (mailing.Mailing, error)) (mailing.Mailing, error) {
	var updated mailing.Mailing
	done, err := s.repeat(ctx, editTries, func() (saved bool, err error) {
		if m.Version == 0 {
			if m, err = s.Mailing(ctx, m.ID); err != nil {
				return false, err
			}
		}
		if updated, err = change(m); err != nil || updated.Version == m.Version {
			return true, err
		}
		saved, err = s.save(ctx, m, updated)
		m.Version = 0 // if it was not saved, m is out of date
		return saved, err
	})
	switch {
	case err != nil:
		return mailing.Mailing{}, err
	case !done:
		return mailing.Mailing{}, mailing.Conflict("others keep changing this mailing: try again")
	}
	return updated, nil
}

// save replaces old by updated, together with all that depends on it: its row among the
// live mailings, and its part in the totals of finished ones. It reports false, and
// writes nothing, if the stored mailing has changed since old was read.
func (s *Store) save(ctx context.Context, old, updated mailing.Mailing) (bool, error) {
	items, err := s.saveItems(old, updated)
	if err != nil {
		return false, err
	}
	return unlessRefused(s.transact(ctx, items, "save mailing %d", old.ID))
}

// saveItems returns the writes of save. The first one writes the mailing itself, on the
// condition that the stored version is that of old.
func (s *Store) saveItems(old, updated mailing.Mailing) ([]types.TransactWriteItem, error) {
	it, err := encodeMailing(updated)
	if err != nil {
		return nil, err
	}
	items := []types.TransactWriteItem{put(s.tables.Mailings, it, sameVersion, item{":version": num(old.Version)})}
	switch {
	// The row of a live mailing and the mailing change in one transaction, so a live
	// mailing always has its row.
	case !old.Finished && updated.Finished:
		items = append(items, remove(s.tables.Mailings, liveKey(old.ID), "", nil))
	case old.Finished && !updated.Finished:
		items = append(items, put(s.tables.Mailings, liveKey(old.ID), "", nil))
	}
	return append(items, s.totalsChange(old, updated)...), nil
}
