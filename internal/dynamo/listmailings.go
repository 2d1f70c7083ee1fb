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
	return s.listMailings(ctx, q, s.Live, s.givenOut)
}

// listMailings is ListMailings. live and givenOut return the mailings that are not
// finished, and the ids that were given out. Only what the list needs is called.
func (s *Store) listMailings(ctx context.Context, q mailing.MailingQuery,
	live func(context.Context) ([]mailing.Mailing, error), givenOut func(context.Context) (first, last mailing.ID, err error),
) (mailing.List[mailing.Mailing], error) {
	at, err := mailingsAt(q)
	if err != nil {
		return mailing.List[mailing.Mailing]{}, err
	}
	var page mailing.List[mailing.Mailing]
	var next mailing.ID
	// Which rows are read depends on the status: only live mailings can be scheduled,
	// running or paused.
	switch q.Status {
	case mailing.StatusScheduled, mailing.StatusRunning, mailing.StatusPaused:
		all, err := live(ctx)
		if err != nil {
			return page, err
		}
		page.Items, next = liveDown(all, at, q.Status, q.Limit)
	case mailing.StatusCompleted, mailing.StatusCancelled:
		fallthrough
	default:
		first, last, err := givenOut(ctx)
		if err != nil {
			return page, err
		}
		if page.Items, next, err = s.mailingsDown(ctx, first, min(at, last), q.Status, q.Limit); err != nil {
			return page, err
		}
	}
	if next > 0 {
		page.Next, err = encodeCursor(listOfMailings(q), &mailingPosition{next})
	}
	return page, err
}

// listOfMailings returns the name of a list of mailings.
func listOfMailings(q mailing.MailingQuery) string { return listKey("mailings", q.Status) }

// mailingsAt returns the id at which a page of mailings begins, downwards.
func mailingsAt(q mailing.MailingQuery) (mailing.ID, error) {
	at := mailingPosition{mailing.MaxID}
	err := decodeCursor(listOfMailings(q), q.Cursor, &at)
	return at.At, err
}

// liveDown returns mailings of a status that only live mailings have, from an id
// downwards. live holds all live mailings, oldest first. next is where to continue, 0 at
// the end.
func liveDown(live []mailing.Mailing, from mailing.ID, status mailing.Status, limit int) (found []mailing.Mailing, next mailing.ID) {
	for _, m := range slices.Backward(live) {
		if m.ID > from || m.Deleted || m.Status != status {
			continue
		}
		if len(found) == limit {
			return found, m.ID
		}
		found = append(found, m)
	}
	return found, 0
}

// newestDown returns mailings of any status from an id downwards, which may be one that
// was not given out yet. next is where to continue, 0 at the end.
func (s *Store) newestDown(ctx context.Context, from mailing.ID, limit int) (found []mailing.Mailing, next mailing.ID, err error) {
	first, last, err := s.givenOut(ctx)
	if err != nil {
		return nil, 0, err
	}
	return s.mailingsDown(ctx, first, min(from, last), "", limit)
}

// mailingsDown returns mailings of a status ("" for any) from an id downwards, one
// partition of a thousand ids after the other, to the id first, the first one that was
// given out. next is where to continue, 0 at the end.
func (s *Store) mailingsDown(ctx context.Context, first, from mailing.ID, status mailing.Status, limit int) (found []mailing.Mailing, next mailing.ID, err error) {
	next = from
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
