package dynamo

import (
	"context"
	"fmt"
	"slices"

	"postrider/internal/mailing"
)

// mailingPosition is the place at which a list of mailings continues: at this id,
// downwards.
type mailingPosition struct {
	At mailing.ID `json:"m"`
}

func (p *mailingPosition) valid() bool { return p.At > 0 && p.At <= mailing.MaxID }

// mailingPages is how many DynamoDB pages are read at most for one page of mailings. A
// DynamoDB page is up to 1 MB. It belongs to one partition, so it holds at most a
// thousand mailings.
const mailingPages = 10

// ListMailings returns a page of the mailings that are not deleted, newest first,
// strongly consistent.
func (s *Store) ListMailings(ctx context.Context, q mailing.MailingQuery) (mailing.List[mailing.Mailing], error) {
	list := listKey("mailings", q.Status)
	at := mailingPosition{mailing.MaxID}
	if err := decodeCursor(list, q.Cursor, &at); err != nil {
		return mailing.List[mailing.Mailing]{}, err
	}
	// Which rows are read depends on the status: only live mailings can be scheduled,
	// running or paused.
	read := s.mailingsDown
	switch q.Status {
	case mailing.StatusScheduled, mailing.StatusRunning, mailing.StatusPaused:
		read = s.liveDown
	case mailing.StatusCompleted, mailing.StatusCancelled:
	}
	found, next, err := read(ctx, at.At, q.Status, q.Limit)
	if err != nil {
		return mailing.List[mailing.Mailing]{}, err
	}
	page := mailing.List[mailing.Mailing]{Items: found}
	if next > 0 {
		page.Next, err = encodeCursor(list, &mailingPosition{next})
	}
	return page, err
}

// liveDown returns mailings of a status that only live mailings have, from an id
// downwards. It reads only the rows of live mailings, not all mailings. next is where
// to continue, 0 at the end.
func (s *Store) liveDown(ctx context.Context, from mailing.ID, status mailing.Status, limit int) (found []mailing.Mailing, next mailing.ID, err error) {
	live, err := s.Live(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, m := range slices.Backward(live) {
		if m.ID > from || m.Deleted || m.Status != status {
			continue
		}
		if len(found) == limit {
			return found, m.ID, nil
		}
		found = append(found, m)
	}
	return found, 0, nil
}

// mailingsDown returns mailings of a status ("" for any) from an id downwards, one
// partition of a thousand ids after the other, to the first id that was given out. next
// is where to continue, 0 at the end.
func (s *Store) mailingsDown(ctx context.Context, from mailing.ID, status mailing.Status, limit int) (found []mailing.Mailing, next mailing.ID, err error) {
	first, newest, err := s.givenOut(ctx)
	if err != nil {
		return nil, 0, err
	}
	// No id above the newest one was given out, so the walk does not begin above it.
	next = min(from, newest)
	for pages := mailingPages; next > 0 && pages > 0 && len(found) < limit; {
		part, err := s.walk(ctx, s.downFrom(next, status, limit-len(found), pages))
		if err != nil {
			return nil, 0, fmt.Errorf("list mailings from %d downwards: %w", next, err)
		}
		pages -= part.pages
		mailings, err := decodeAll(part.items, decodeMailing)
		if err != nil {
			return nil, 0, err
		}
		found = append(found, mailings...)
		if next, err = below(next, first, part); err != nil {
			return nil, 0, err
		}
	}
	return found, next, nil
}

// downFrom returns the walk from an id downwards, to the beginning of its partition,
// over mailings of a status that are not deleted.
func (s *Store) downFrom(id mailing.ID, status mailing.Status, limit, pages int) walk {
	w := mailingsFrom(s.tables.Mailings, id)
	w.limit, w.pages = limit, pages
	w.where("#deleted = :false", item{":false": boolean(false)})
	if status != "" {
		w.where("#status = :status", item{":status": str(string(status))})
	}
	return w
}

// mailingsFrom returns the walk from an id downwards, to the beginning of its partition.
func mailingsFrom(table string, id mailing.ID) walk {
	return walk{
		table: table, descending: true, key: "#part = :part AND #id <= :id",
		values: item{":part": str(mailingPart(id)), ":id": str(mailingSort(id))},
	}
}

// below returns the largest id that a walk down from id has not looked at; 0 if that
// would be less than first.
func below(id, first mailing.ID, part walked) (mailing.ID, error) {
	// A walk to the end of the partition has looked at all its ids; this is the lowest
	// one.
	next := id / mailingsPerPart * mailingsPerPart
	if !part.end {
		if _, err := fmt.Sscanf(part.last, "%d", &next); err != nil {
			return 0, fmt.Errorf("read %q as the id of a mailing: %w", part.last, err)
		}
	}
	if next <= first {
		return 0, nil
	}
	return next - 1, nil
}
