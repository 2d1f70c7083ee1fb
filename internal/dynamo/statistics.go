package dynamo

import (
	"context"
	"fmt"

	"postrider/internal/mailing"
)

// Statistics reads a mailing, its slices and its rate with one call, strongly consistent.
// Each item is exact at the instant at which it is read. An unknown mailing is a
// [mailing.KindNotFound].
func (s *Store) Statistics(ctx context.Context, id mailing.ID) (mailing.Statistics, error) {
	if id == 0 || id > mailing.MaxID {
		return mailing.Statistics{}, mailing.NotFound("mailing")
	}
	now, ids := s.now(), []mailing.ID{id}
	found, err := s.readTables(ctx,
		keysOfTable{s.tables.Mailings, []item{mailingKey(id)}},
		keysOfTable{s.tables.Batches, append(sliceKeys(ids), rateKeys(id, now)...)})
	if err != nil {
		return mailing.Statistics{}, fmt.Errorf("read the statistics of mailing %d: %w", id, err)
	}
	if len(found[s.tables.Mailings]) == 0 {
		return mailing.Statistics{}, mailing.NotFound("mailing")
	}
	m, err := decodeMailing(found[s.tables.Mailings][0])
	if err != nil {
		return mailing.Statistics{}, err
	}
	slices, series, err := apart(id, found[s.tables.Batches])
	if err != nil {
		return mailing.Statistics{}, err
	}
	states, err := slicesIn(ids, slices)
	if err != nil {
		return mailing.Statistics{}, err
	}
	rate, err := rateOf(series, now)
	if err != nil {
		return mailing.Statistics{}, fmt.Errorf("read the rate of mailing %d: %w", id, err)
	}
	return mailing.Statistics{Mailing: m, Progress: progressOf(m, states[id]), Slices: *states[id], Rate: rate}, nil
}

// apart separates the items of slices of a mailing from those of its series.
func apart(id mailing.ID, items []item) (slices, series []item, err error) {
	for _, it := range items {
		part, err := text(it, partKey)
		if err != nil {
			return nil, nil, err
		}
		if part == seriesPart(id) {
			series = append(series, it)
		} else {
			slices = append(slices, it)
		}
	}
	return slices, series, nil
}

// progressOf returns the progress of a mailing from the states of its slices. A finished
// mailing holds its own counts; its states are not looked at, and may be nil.
func progressOf(m mailing.Mailing, states *mailing.SliceStates) mailing.Progress {
	if m.Finished {
		return mailing.Progress{Counts: m.Counts, Expanded: true}
	}
	return states.Sum()
}
