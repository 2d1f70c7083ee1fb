package dynamo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

// audiencePages limits one step through an audience to 10 MB, about 60,000 clients.
const audiencePages = 10

// Audience reads the clients of a slice that match f, after the client after, in the
// order of ids, strongly consistent. Clients that were created later than started are
// left out; the zero time leaves none out.
//
// It stops at limit clients, at the end of the slice (done), or when it has read
// audiencePages pages, possibly without a match. A later step that begins after next
// misses no client and reads none twice. Unless done, next is the last client that was
// looked at, whether it matched or not.
func (s *Store) Audience(ctx context.Context, slice int, f mailing.Filter, started time.Time, after mailing.ClientID, limit int) (clients []mailing.Client, next mailing.ClientID, done bool, err error) {
	w := clientsAfter(s.tables.Clients, partKey, clientPart(slice), after)
	w.limit, w.pages = limit, audiencePages
	w.matching(f)
	if !started.IsZero() {
		// A client without created_at was stored before that attribute existed.
		w.where("attribute_not_exists(#created_at) OR #created_at <= :started", item{":started": millis(started)})
	}
	found, err := s.walk(ctx, w)
	if err != nil {
		return nil, 0, false, fmt.Errorf("read slice %d of an audience after client %d: %w", slice, after, err)
	}
	if clients, err = decodeAll(found.items, decodeClient); err != nil {
		return nil, 0, false, err
	}
	if found.last == "" {
		return clients, after, found.end, nil
	}
	next, err = parseClientSort(found.last)
	return clients, next, found.end, err
}

// CountAudience returns how many clients match f; each slice is strongly consistent.
// DynamoDB counts, so no client is transferred.
func (s *Store) CountAudience(ctx context.Context, f mailing.Filter) (int64, error) {
	var n [mailing.Slices]int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readConcurrency)
	for slice := range n {
		group.Go(func() (err error) {
			n[slice], err = s.countSlice(ctx, slice, f)
			return err
		})
	}
	err := group.Wait()
	total := int64(0)
	for _, part := range n {
		total += part
	}
	return total, err
}

// countSlice counts the clients of one slice that match f.
func (s *Store) countSlice(ctx context.Context, slice int, f mailing.Filter) (n int64, err error) {
	w := clientsAfter(s.tables.Clients, partKey, clientPart(slice), 0)
	w.matching(f)
	in := w.input()
	in.Select = types.SelectCount
	for pages := dynamodb.NewQueryPaginator(s.api, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, fmt.Errorf("count slice %d of an audience: %w", slice, err)
		}
		n += int64(page.Count)
	}
	return n, nil
}

// clientsAfter returns a walk through one partition of the table of clients, or of one
// of its indexes, in the order of ids. It begins after the client after. attr is the
// attribute that has the value part in this partition.
func clientsAfter(table, attr, part string, after mailing.ClientID) walk {
	return walk{
		table: table, key: "#" + attr + " = :part AND #id > :after",
		values: item{":part": str(part), ":after": str(clientSort(after))},
	}
}

// matching adds the condition that [mailing.Filter.Matches] checks.
func (w *walk) matching(f mailing.Filter) {
	w.oneOf("operator_code", f.OperatorCodes)
	w.oneOf("tag", f.Tags)
}

// oneOf adds the condition that an attribute has one of the values; none for no values.
func (w *walk) oneOf(attr string, values []string) {
	if len(values) == 0 {
		return
	}
	places, byPlace := make([]string, len(values)), item{}
	for i, v := range values {
		places[i] = fmt.Sprintf(":%s%d", attr, i)
		byPlace[places[i]] = str(v)
	}
	w.where("#"+attr+" IN ("+strings.Join(places, ", ")+")", byPlace)
}
