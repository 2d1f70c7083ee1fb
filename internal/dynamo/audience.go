package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
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
// audiencePages pages, possibly without a match. next is the last client that was
// looked at, whether it matched or not: a walk that continues after it misses no client
// and meets none twice.
func (s *Store) Audience(ctx context.Context, slice int, f mailing.Filter, started time.Time, after mailing.ClientID, limit int) (clients []mailing.Client, next mailing.ClientID, done bool, err error) {
	found, err := s.walk(ctx, walk{
		table: s.tables.Clients, key: partitionAfter(partKey, clientPart(slice), clientSort(after)), filter: both(audienceFilter(f), createdBy(started)),
		limit: limit, pages: audiencePages,
	})
	if err != nil {
		return nil, 0, false, fmt.Errorf("read slice %d of an audience behind client %d: %w", slice, after, err)
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
	in, err := walk{
		table: s.tables.Clients, key: partitionAfter(partKey, clientPart(slice), ""), filter: audienceFilter(f),
	}.input()
	if err != nil {
		return 0, err
	}
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

// audienceFilter returns [mailing.Filter.Matches] as an expression; nil if it matches
// every client.
func audienceFilter(f mailing.Filter) *expression.ConditionBuilder {
	return both(oneOf(operatorAttr, f.OperatorCodes), oneOf(tagAttr, f.Tags))
}

// createdBy returns the condition that a client was created at an instant or earlier;
// nil for the zero time. A client without an instant of creation was stored before that
// attribute existed, so it meets the condition.
func createdBy(at time.Time) *expression.ConditionBuilder {
	if at.IsZero() {
		return nil
	}
	created := expression.Name(createdAttr)
	in := expression.Or(created.AttributeNotExists(), created.LessThanEqual(expression.Value(at.UnixMilli())))
	return &in
}

// both returns the conjunction of two conditions, each of which may be nil.
func both(a, b *expression.ConditionBuilder) *expression.ConditionBuilder {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	and := a.And(*b)
	return &and
}

// oneOf returns the condition that an attribute has one of the values; nil for no
// values.
func oneOf(attr string, values []string) *expression.ConditionBuilder {
	if len(values) == 0 {
		return nil
	}
	operands := make([]expression.OperandBuilder, len(values))
	for i, v := range values {
		operands[i] = expression.Value(v)
	}
	in := expression.Name(attr).In(operands[0], operands[1:]...)
	return &in
}
