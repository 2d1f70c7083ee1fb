package dynamo

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

// clientPosition is the place at which a list of clients continues: after a client, in
// a slice. A search has no slices: there Slice is 0.
type clientPosition struct {
	Slice int              `json:"s,omitempty"`
	After mailing.ClientID `json:"a,omitempty"`
}

func (p *clientPosition) valid() bool { return p.Slice >= 0 && p.Slice < mailing.Slices }

// listPages is how many DynamoDB pages are read at most for one page of a list.
const listPages = 5

// ListClients returns a page of the directory. Without a search it goes slice by slice
// in the order of ids, strongly consistent. A search by phone is strongly consistent,
// too. A search by operator code or tag reads an index, which may show a change some
// seconds late.
func (s *Store) ListClients(ctx context.Context, q mailing.ClientQuery) (mailing.List[mailing.Client], error) {
	list := listKey("clients", q.Phone, q.OperatorCode, q.Tag)
	var at clientPosition
	if err := decodeCursor(list, q.Cursor, &at); err != nil {
		return mailing.List[mailing.Client]{}, err
	}
	var (
		clients []mailing.Client
		next    *clientPosition
		err     error
	)
	switch {
	case q.Phone != "":
		clients, err = s.searchPhone(ctx, q)
	case q.OperatorCode != "" || q.Tag != "":
		clients, next, err = s.searchIndex(ctx, q, at.After)
	default:
		clients, next, err = s.directory(ctx, at, q.Limit)
	}
	if err != nil {
		return mailing.List[mailing.Client]{}, err
	}
	page := mailing.List[mailing.Client]{Items: clients}
	if next != nil {
		page.Next, err = encodeCursor(list, next)
	}
	return page, err
}

// searchPhone returns the client that has a phone, if it also matches the rest of the
// query.
func (s *Store) searchPhone(ctx context.Context, q mailing.ClientQuery) ([]mailing.Client, error) {
	it, err := s.get(ctx, s.tables.Clients, phoneKey(q.Phone), "look a phone up")
	if err != nil || it == nil {
		return nil, err
	}
	owner, err := decodeOwner(it)
	if err != nil {
		return nil, err
	}
	c, err := s.Client(ctx, owner.ID)
	if mailing.KindOf(err) == mailing.KindNotFound {
		return nil, nil // deleted since
	}
	if err != nil {
		return nil, err
	}
	// The client may have got another phone between the two reads.
	if c.Phone != q.Phone || (q.OperatorCode != "" && c.OperatorCode != q.OperatorCode) || (q.Tag != "" && c.Tag != q.Tag) {
		return nil, nil
	}
	return []mailing.Client{c}, nil
}

// searchIndex reads the index of tags if the query has a tag, and otherwise the index
// of operator codes. Tags divide the directory more finely, so fewer clients are read
// in vain.
func (s *Store) searchIndex(ctx context.Context, q mailing.ClientQuery, after mailing.ClientID) ([]mailing.Client, *clientPosition, error) {
	attr, value, index := "operator_code", q.OperatorCode, operatorIndex
	if q.Tag != "" {
		attr, value, index = "tag", q.Tag, tagIndex
	}
	w := clientsAfter(s.tables.Clients, attr, value, after)
	w.index, w.limit, w.pages = index, q.Limit, listPages
	if q.Tag != "" && q.OperatorCode != "" {
		w.where("#operator_code = :operator", item{":operator": str(q.OperatorCode)})
	}
	found, err := s.walk(ctx, w)
	if err != nil {
		return nil, nil, fmt.Errorf("search clients: %w", err)
	}
	clients, err := decodeAll(found.items, decodeClient)
	if err != nil || found.end {
		return clients, nil, err
	}
	last, err := parseClientSort(found.last)
	return clients, &clientPosition{After: last}, err
}

// directory reads the slice in which the list continues. If this slice does not fill
// the page, directory reads further slices: as many at the same time as will probably
// fill the page. So a small directory fits on one page instead of sixteen. In a large
// directory, further slices are read only at the end of each slice.
func (s *Store) directory(ctx context.Context, at clientPosition, limit int) ([]mailing.Client, *clientPosition, error) {
	// The first slice is read alone: it often fills the page, and its density says how
	// many others are needed.
	clients, last, end, err := s.Audience(ctx, at.Slice, mailing.Filter{}, time.Time{}, at.After, limit)
	if err != nil {
		return nil, nil, err
	}
	if !end {
		return clients, &clientPosition{at.Slice, last}, nil
	}
	width := likelySlices(limit-len(clients), len(clients), at.After)
	for from := at.Slice + 1; from < mailing.Slices; from += width {
		if len(clients) == limit {
			return clients, &clientPosition{Slice: from}, nil
		}
		rest, err := s.slicesFrom(ctx, from, min(width, mailing.Slices-from), limit-len(clients))
		if err != nil {
			return nil, nil, err
		}
		var next *clientPosition
		if clients, next = fill(clients, rest, from, limit); next != nil {
			return clients, next, nil
		}
	}
	return clients, nil, nil
}

// likelySlices returns how many slices probably hold need clients. It assumes that ids
// are spread evenly. So all slices are as dense as the slice that was read, which has
// seen clients after the client after. The result is a quarter larger than the
// estimate, because too few slices cost another round of reads.
func likelySlices(need, seen int, after mailing.ClientID) int {
	rest := 1 - float64(after)/(1<<32) // the share of the ids that come after
	return 1 + int(1.25*float64(need)*rest/float64(seen+1))
}

// fill appends the clients of found to clients, up to limit. found holds the beginnings
// of consecutive slices, from slice number from on. next is where the list continues;
// nil if all these slices are appended to their end.
func fill(clients []mailing.Client, found []clientSlice, from, limit int) (_ []mailing.Client, next *clientPosition) {
	for i, slice := range found {
		need := limit - len(clients)
		if need == 0 {
			return clients, &clientPosition{Slice: from + i}
		}
		taken := slice.clients[:min(need, len(slice.clients))]
		clients = append(clients, taken...)
		// The page is full. The other clients that were read of this slice are read
		// again for the next page.
		if len(taken) < len(slice.clients) {
			return clients, &clientPosition{from + i, taken[need-1].ID}
		}
		// This slice is not at its end. The list is in order, so the slices after it
		// must wait.
		if !slice.end {
			return clients, &clientPosition{from + i, slice.last}
		}
	}
	return clients, nil
}

// clientSlice is the beginning of a slice. last is the last client that was looked at.
// end reports that the slice ends there.
type clientSlice struct {
	clients []mailing.Client
	last    mailing.ClientID
	end     bool
}

// slicesFrom reads the beginnings of n slices at the same time, from slice number from
// on.
func (s *Store) slicesFrom(ctx context.Context, from, n, limit int) ([]clientSlice, error) {
	rest := make([]clientSlice, n)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readConcurrency)
	for i := range rest {
		group.Go(func() error {
			clients, last, end, err := s.Audience(ctx, from+i, mailing.Filter{}, time.Time{}, 0, limit)
			rest[i] = clientSlice{clients, last, end}
			return err
		})
	}
	return rest, group.Wait()
}
