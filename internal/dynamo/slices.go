package dynamo

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// sliceItem is the state of a slice of a mailing as it is read: how far the expansion
// has come, and the counts of its messages.
type sliceItem struct {
	Part   string           `dynamodbav:"part"`
	Cursor mailing.ClientID `dynamodbav:"cursor"`
	Done   bool             `dynamodbav:"done"`
	// RetriedAt is the retried_at of the mailing up to which the failures of the slice
	// were queued again.
	RetriedAt int64 `dynamodbav:"retried_at"`
	// ExtendedAt is the extended_at of the mailing up to which the settled batches of
	// the slice got a longer time to live.
	ExtendedAt int64 `dynamodbav:"extended_at"`
	// Head is the first client of the first page that has batches, HeadBatches is how
	// many batches that page has, and Batches is how many the slice has. They are 0 in
	// slices from before these attributes.
	Head        mailing.ClientID `dynamodbav:"head"`
	HeadBatches int              `dynamodbav:"head_batches"`
	Batches     int              `dynamodbav:"batches"`
	countsItem
}

// decodeSlice reads the state of a slice, and the partition that it is in. Without an
// item, the state is that of a slice that was never begun.
func decodeSlice(it item) (part string, state mailing.SliceState, err error) {
	var stored sliceItem
	if err := attributevalue.UnmarshalMap(it, &stored); err != nil {
		return "", mailing.SliceState{}, fmt.Errorf("decode a slice: %w", err)
	}
	return stored.Part, mailing.SliceState{
		Cursor: stored.Cursor, Done: stored.Done, Counts: stored.decode(),
		RetriedAt: fromMillis(stored.RetriedAt), ExtendedAt: fromMillis(stored.ExtendedAt),
		Head: stored.Head, HeadBatches: stored.HeadBatches, Batches: stored.Batches,
	}, nil
}

// Slice returns the state of one slice of a mailing, strongly consistent. A slice that
// was never begun has the zero state.
func (s *Store) Slice(ctx context.Context, id mailing.ID, slice int) (mailing.SliceState, error) {
	it, err := s.get(ctx, s.tables.Batches, sliceKey(id, slice), "read slice %d of mailing %d", slice, id)
	if err != nil {
		return mailing.SliceState{}, err
	}
	_, state, err := decodeSlice(it)
	return state, err
}

// Slices returns the states of all slices of several mailings, strongly consistent.
func (s *Store) Slices(ctx context.Context, ids []mailing.ID) (map[mailing.ID]*mailing.SliceStates, error) {
	items, err := s.batchGet(ctx, s.tables.Batches, sliceKeys(ids), true)
	if err != nil {
		return nil, fmt.Errorf("read the slices of %d mailings: %w", len(ids), err)
	}
	return slicesIn(ids, items)
}

// sliceKeys returns the keys of all slices of several mailings.
func sliceKeys(ids []mailing.ID) []item {
	keys := make([]item, 0, len(ids)*mailing.Slices)
	for _, id := range ids {
		for slice := range mailing.Slices {
			keys = append(keys, sliceKey(id, slice))
		}
	}
	return keys
}

// slicesIn returns the states of all slices of several mailings from the items of slices.
// Slices of other mailings are left out.
func slicesIn(ids []mailing.ID, items []item) (map[mailing.ID]*mailing.SliceStates, error) {
	states := make(map[mailing.ID]*mailing.SliceStates, len(ids))
	place := make(map[string]*mailing.SliceState, len(ids)*mailing.Slices)
	for _, id := range ids {
		all := new(mailing.SliceStates)
		states[id] = all
		for slice := range mailing.Slices {
			// A slice without an item keeps its zero state: it was never begun.
			place[batchPart(id, slice)] = &all[slice]
		}
	}
	for _, it := range items {
		part, state, err := decodeSlice(it)
		if err != nil {
			return nil, err
		}
		if p := place[part]; p != nil {
			*p = state
		}
	}
	return states, nil
}

// Progress returns the counts of each of ms, in their order. The counts of a live
// mailing are the sum over its slices. Each slice is exact at the instant at which it
// is read.
func (s *Store) Progress(ctx context.Context, ms []mailing.Mailing) ([]mailing.Progress, error) {
	var live []mailing.ID
	for _, m := range ms {
		if !m.Finished {
			live = append(live, m.ID)
		}
	}
	states, err := s.Slices(ctx, live)
	if err != nil {
		return nil, err
	}
	progress := make([]mailing.Progress, len(ms))
	for i, m := range ms {
		progress[i] = progressOf(m, states[m.ID])
	}
	return progress, nil
}

// WritePage stores one page of an expansion with its batches in one transaction. It
// reports false, and writes nothing, in two cases: another run has moved the cursor of
// the slice, or the settled batches of the slice are kept by a later end than that of
// m. In the second case the settled batches of the page would expire too early.
func (s *Store) WritePage(ctx context.Context, m mailing.Mailing, p mailing.Page) (bool, error) {
	items := make([]types.TransactWriteItem, 0, len(p.Batches)+1)
	for _, b := range p.Batches {
		it, err := s.encodeBatch(b, m)
		if err != nil {
			return false, err
		}
		// The batches need no condition: by the condition on the cursor, each page is
		// written once.
		items = append(items, put(s.tables.Batches, it, "", nil))
	}
	items = append(items, s.cursorMove(m, p))
	return unlessRefused(s.transact(ctx, items, "expand slice %d of mailing %d after client %d", p.Slice, m.ID, p.Seen))
}

// cursorMove returns the write that moves the cursor of a slice and adds the counts of
// the page. The write has two conditions. The cursor is still p.Seen, so each page is
// written once. And the slice is not marked as extended by a later edit than
// m.ExtendedAt.
func (s *Store) cursorMove(m mailing.Mailing, p mailing.Page) types.TransactWriteItem {
	var a adder
	a.addCounts("", p.Counts)
	a.add("batches", int64(len(p.Batches)))
	u := update{
		table: s.tables.Batches, key: sliceKey(p.Mailing, p.Slice),
		change: "SET #cursor = :next, #done = :done",
		// The first page of a slice creates the cursor; later pages move it.
		condition: "attribute_not_exists(#cursor)",
		values:    item{":next": num(p.Next), ":done": boolean(p.Done), ":extended": num(toMillis(m.ExtendedAt))},
	}
	if len(p.Batches) > 0 {
		// Readers of messages derive the keys of the first page's batches from these.
		u.change += ", #head = if_not_exists(#head, :head), #head_batches = if_not_exists(#head_batches, :heads)"
		u.values[":head"], u.values[":heads"] = num(p.Batches[0].Key.Batch.First), num(len(p.Batches))
	}
	u.change = strings.TrimSpace(u.change + " " + a.expression())
	maps.Copy(u.values, a.values)
	if p.Seen != 0 {
		u.condition = "#cursor = :seen AND #done = :false"
		u.values[":seen"], u.values[":false"] = num(p.Seen), boolean(false)
	}
	u.condition += " AND (attribute_not_exists(#extended_at) OR #extended_at <= :extended)"
	return u.action()
}

// StartMailing sets a scheduled mailing to running if its start has come, and returns
// the mailing as it is then stored. It returns any other mailing unchanged.
func (s *Store) StartMailing(ctx context.Context, id mailing.ID) (mailing.Mailing, error) {
	return s.UpdateMailing(ctx, id, func(m mailing.Mailing) (mailing.Mailing, error) {
		started, _ := m.Started(s.now())
		return started, nil
	})
}

// FinishMailing finishes a mailing that was already read as m, if
// [mailing.Mailing.Done] reports that none of its slices needs work. It reports whether
// the mailing is finished then.
func (s *Store) FinishMailing(ctx context.Context, m mailing.Mailing) (bool, error) {
	if m.Finished {
		m.Version = 0 // it may have been reopened since: read it again
	}
	finished, err := s.updateMailing(ctx, m, func(m mailing.Mailing) (mailing.Mailing, error) {
		if m.Finished {
			return m, nil
		}
		// The slices are read after the mailing. Each operation that makes a message
		// pending again changes the version of the mailing first, or in the same
		// transaction. Then this change is refused.
		states, err := s.Slices(ctx, []mailing.ID{m.ID})
		if err != nil {
			return m, err
		}
		counts, done := m.Done(states[m.ID], s.now())
		if !done {
			return m, nil
		}
		return m.AsFinished(counts, s.now()), nil
	})
	if err != nil {
		return false, fmt.Errorf("finish mailing %d: %w", m.ID, err)
	}
	return finished.Finished, nil
}
