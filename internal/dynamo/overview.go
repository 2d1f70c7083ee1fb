package dynamo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"postrider/internal/mailing"
)

// Overview returns a page of mailings with their progress, and the sums over all mailings
// of the status of q. If seen is the version of an earlier overview by the same query, and
// nothing has changed since, Unchanged is true. With up to five live mailings one call
// finds that out.
//
// A version is never wrong, for these reasons. It is made from a reading that began before
// the page was read, so it is never newer than the page. Creating a mailing moves the
// counter of ids; finishing, reopening, and deleting a finished one changes the totals,
// and all other changes of a mailing its version. So with the same counter and totals the
// live mailings are still those whose ids the version names, and the finished ones are as
// they were. What the live ones hold is read, and compared by a hash.
func (s *Store) Overview(ctx context.Context, q mailing.MailingQuery, seen string) (mailing.Overview, error) {
	if ids, ok := idsIn(seen); ok {
		all, err := s.readEverything(ctx, ids)
		if err != nil {
			return mailing.Overview{}, fmt.Errorf("compare the mailings with their version: %w", err)
		}
		if all.version() == seen {
			return mailing.Overview{Version: seen, Unchanged: true}, nil
		}
	}
	if _, err := mailingsAt(q); err != nil {
		return mailing.Overview{}, err
	}
	all, err := s.everything(ctx)
	if err != nil {
		return mailing.Overview{}, err
	}
	version := all.version()
	if version == seen {
		return mailing.Overview{Version: seen, Unchanged: true}, nil
	}
	page, err := s.listMailings(ctx, q,
		func(context.Context) ([]mailing.Mailing, error) { return all.live, nil },
		func(context.Context) (first, last mailing.ID, err error) { return all.first, all.last, nil })
	if err != nil {
		return mailing.Overview{}, err
	}
	progress, err := s.progressIn(ctx, all, page.Items)
	return mailing.Overview{List: page, Progress: progress, Overall: all.sumUp(q.Status), Version: version}, err
}

// progressIn returns the progress of each of ms, in their order. It reads only that of
// mailings that have become live since all was read.
func (s *Store) progressIn(ctx context.Context, all everything, ms []mailing.Mailing) ([]mailing.Progress, error) {
	var missing []mailing.Mailing
	for _, m := range ms {
		if _, ok := all.progress[m.ID]; !ok && !m.Finished {
			missing = append(missing, m)
		}
	}
	read, err := s.Progress(ctx, missing)
	if err != nil {
		return nil, err
	}
	for i, m := range missing {
		all.progress[m.ID] = read[i]
	}
	progress := make([]mailing.Progress, len(ms))
	for i, m := range ms {
		if progress[i] = all.progress[m.ID]; m.Finished {
			progress[i] = progressOf(m, nil)
		}
	}
	return progress, nil
}

// versionIDs is how many live mailings a version names at most. With more, the version
// still changes with each change, but the rows of live mailings are read to find out.
const versionIDs = 30

// version returns the version of all mailings: a hash of what was read, and then the ids
// of the live mailings, in base 36.
func (all everything) version() string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %d", all.totals.Changes, all.last)
	for _, id := range all.ids {
		fmt.Fprintf(h, " %d", id)
	}
	for _, m := range all.live {
		fmt.Fprintf(h, "\n%d %d %+v", m.ID, m.Version, all.progress[m.ID])
	}
	parts := []string{base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])}
	if len(all.ids) > versionIDs {
		return strings.Join(append(parts, "more"), ".")
	}
	for _, id := range all.ids {
		parts = append(parts, strconv.FormatUint(uint64(id), 36))
	}
	return strings.Join(parts, ".")
}

// idsIn returns the ids that a version names. ok is false if seen is no version, or one
// that names no ids because they are many. A caller can send any text.
func idsIn(seen string) (ids []mailing.ID, ok bool) {
	parts := strings.Split(seen, ".")
	if seen == "" || len(parts) > versionIDs+1 {
		return nil, false
	}
	var last mailing.ID
	for _, part := range parts[1:] {
		id, err := strconv.ParseUint(part, 36, 32)
		// The ids are in order, so none is there twice.
		if err != nil || mailing.ID(id) <= last || mailing.ID(id) > mailing.MaxID {
			return nil, false
		}
		last = mailing.ID(id)
		ids = append(ids, last)
	}
	return ids, true
}
