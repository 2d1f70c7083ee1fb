package dynamo

import (
	"context"
	"errors"
	"fmt"

	"postrider/internal/mailing"
)

// Overall returns the sums over all mailings that are not deleted, or over those of one
// status. The counts of a live mailing are those of a single read during the call.
func (s *Store) Overall(ctx context.Context, status mailing.Status) (mailing.Overall, error) {
	all, err := s.everything(ctx)
	if err != nil {
		return mailing.Overall{}, err
	}
	return all.sumUp(status), nil
}

// everything is the state of all mailings: those that are not finished one by one, and
// the sums over the finished ones. Each mailing is in one of the two.
type everything struct {
	totals Totals
	// first and last are the ids of mailings that were given out.
	first, last mailing.ID
	// ids are those of the rows of live mailings, oldest first. live has the mailings
	// of these rows, as far as they can be read, and progress that of each.
	ids      []mailing.ID
	live     []mailing.Mailing
	progress map[mailing.ID]mailing.Progress
}

// everything reads the state of all mailings, strongly consistent, with three calls for
// up to five live mailings, and then one for each six more.
//
// A mailing could move from the live ones to the finished ones, or back, between the
// reads. So the totals are read before and after the rows of live mailings. If they
// changed, the reading is repeated. A mailing that finishes after both readings still
// counts as live: its counts are then its own. The counter of ids is read before the
// rows, so no mailing up to last is missing.
func (s *Store) everything(ctx context.Context) (everything, error) {
	var all everything
	done, err := s.repeat(ctx, retryTries, func() (bool, error) {
		before, err := s.readEverything(ctx, nil)
		if err != nil {
			return false, err
		}
		ids, err := s.liveIDs(ctx)
		if err != nil {
			return false, err
		}
		if all, err = s.readEverything(ctx, ids); err != nil {
			return false, err
		}
		all.first, all.last = before.first, before.last
		return before.totals.Changes == all.totals.Changes, nil
	})
	if !done && err == nil {
		err = errors.New("the totals of finished mailings changed during each try")
	}
	if err != nil {
		return everything{}, fmt.Errorf("sum up all mailings: %w", err)
	}
	return all, nil
}

// readEverything reads the totals, the counter of ids, and the live mailings with these
// ids, without looking for others.
func (s *Store) readEverything(ctx context.Context, ids []mailing.ID) (everything, error) {
	keys := make([]item, 0, 2+len(ids))
	keys = append(keys, totalsKey(), counterKey())
	for _, id := range ids {
		keys = append(keys, mailingKey(id))
	}
	found, err := s.readTables(ctx, keysOfTable{s.tables.Mailings, keys}, keysOfTable{s.tables.Batches, sliceKeys(ids)})
	if err != nil {
		return everything{}, err
	}
	all := everything{ids: ids, progress: make(map[mailing.ID]mailing.Progress, len(ids))}
	states, err := slicesIn(ids, found[s.tables.Batches])
	if err != nil {
		return everything{}, err
	}
	if all.totals, err = decodeTotals(nil); err != nil { // there is no item before the first mailing has finished
		return everything{}, err
	}
	var mailings []item
	for _, it := range found[s.tables.Mailings] {
		part, err := text(it, partKey)
		if err != nil {
			return everything{}, err
		}
		switch part {
		case "totals":
			all.totals, err = decodeTotals(it)
		case "counter":
			all.first, all.last, err = decodeCounter(it)
		default:
			mailings = append(mailings, it)
		}
		if err != nil {
			return everything{}, err
		}
	}
	if all.live, err = readableLive(ctx, ids, mailings); err != nil {
		return everything{}, err
	}
	for _, m := range all.live {
		all.progress[m.ID] = progressOf(m, states[m.ID])
	}
	return all, nil
}

// sumUp adds the live mailings to the totals of finished ones. An empty status means
// all statuses. A deleted mailing that is still live counts nowhere.
func (all everything) sumUp(status mailing.Status) mailing.Overall {
	o := mailing.Overall{Mailings: map[mailing.Status]int64{}}
	for _, each := range mailing.Statuses {
		if status == "" || each == status {
			o.Mailings[each] = all.totals.Mailings[each]
			o.Totals = o.Totals.Plus(all.totals.Counts[each])
		}
	}
	for _, m := range all.live {
		if m.Deleted || (status != "" && m.Status != status) {
			continue
		}
		o.Mailings[m.Status]++
		o.Totals = o.Totals.Plus(all.progress[m.ID].Counts)
	}
	return o
}
