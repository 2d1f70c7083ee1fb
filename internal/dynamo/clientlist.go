package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

// clientPosition is where a list of clients goes on: in a slice (0 in a search)
// behind a client.
type clientPosition struct {
	Slice int              `json:"s,omitempty"`
	After mailing.ClientID `json:"a,omitempty"`
}

func (p *clientPosition) valid() bool { return p.Slice >= 0 && p.Slice < mailing.Slices }

// listPages is how many DynamoDB pages are read for one page of a list.
const listPages = 5

// ListClients is a page of the directory: without a search slice by slice in
// the order of ids, strongly consistent. A search by operator code or tag reads
// an index, which may show a change up to some seconds late.
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

// searchPhone finds the one client that has a phone, if the rest of the query
// matches it, too.
func (s *Store) searchPhone(ctx context.Context, q mailing.ClientQuery) ([]mailing.Client, error) {
	out, err := s.api.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.tables.Clients, Key: phoneKey(q.Phone), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, fmt.Errorf("look a phone up: %w", err)
	}
	if out.Item == nil {
		return nil, nil
	}
	owner, err := decodeOwner(out.Item)
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
	if c.Phone != q.Phone || (q.OperatorCode != "" && c.OperatorCode != q.OperatorCode) || (q.Tag != "" && c.Tag != q.Tag) {
		return nil, nil
	}
	return []mailing.Client{c}, nil
}

// searchIndex reads the index of tags, which divide the directory more finely,
// or else that of operators.
func (s *Store) searchIndex(ctx context.Context, q mailing.ClientQuery, after mailing.ClientID) ([]mailing.Client, *clientPosition, error) {
	behind := ""
	if after > 0 {
		behind = clientSort(after)
	}
	w := walk{table: s.tables.Clients, limit: q.Limit, pages: listPages}
	if q.Tag != "" {
		w.index, w.key = tagIndex, partitionAfter(tagAttr, q.Tag, behind)
		if q.OperatorCode != "" {
			filter := expression.Name(operatorAttr).Equal(expression.Value(q.OperatorCode))
			w.filter = &filter
		}
	} else {
		w.index, w.key = operatorIndex, partitionAfter(operatorAttr, q.OperatorCode, behind)
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

// directory reads the slice that the list is in. Only where that leaves the page
// short, which a large directory does once a slice, it reads others, as many at
// once as probably fill the page: a small directory is one page and not sixteen,
// and of a large one nothing is read in vain.
func (s *Store) directory(ctx context.Context, at clientPosition, limit int) ([]mailing.Client, *clientPosition, error) {
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

// likelySlices is how many slices hold need clients, if all are as this one, of
// which seen lay behind a client: ids are spread evenly. It is rather too many,
// for too few is another round.
func likelySlices(need, seen int, behind mailing.ClientID) int {
	rest := 1 - float64(behind)/(1<<32) // of the slice
	return 1 + int(1.25*float64(need)*rest/float64(seen+1))
}

// fill puts the beginnings of slices, from one on, behind clients. next is where
// the list goes on, nil if it may with the slices that come then.
func fill(clients []mailing.Client, found []clientSlice, from, limit int) (_ []mailing.Client, next *clientPosition) {
	for i, slice := range found {
		need := limit - len(clients)
		if need == 0 {
			return clients, &clientPosition{Slice: from + i}
		}
		taken := slice.clients[:min(need, len(slice.clients))]
		clients = append(clients, taken...)
		if len(taken) < len(slice.clients) {
			return clients, &clientPosition{from + i, taken[need-1].ID}
		}
		if !slice.end {
			return clients, &clientPosition{from + i, slice.last}
		}
	}
	return clients, nil
}

type clientSlice struct {
	clients []mailing.Client
	last    mailing.ClientID
	end     bool
}

// slicesFrom reads the beginnings of n slices from one on.
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
