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

// audiencePages bounds one step through an audience: 10 MB, some 60,000 clients.
const audiencePages = 10

// Audience reads the clients of a slice that f matches, behind after, in the
// order of ids, strongly consistent. Those that were created after started are left
// out; the zero time leaves none out. It stops at limit of them, at the end of
// the slice (done), or after a bounded time's reading, possibly with none. next
// is the last client looked at, matching or not: a walk that goes on behind it
// misses nobody and meets nobody twice.
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

// CountAudience is how many clients f matches, each slice strongly consistent.
// DynamoDB does the counting: of the clients nothing is transferred.
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

// audienceFilter is [mailing.Filter.Matches] as an expression; nil for everyone.
func audienceFilter(f mailing.Filter) *expression.ConditionBuilder {
	return both(oneOf(operatorAttr, f.OperatorCodes), oneOf(tagAttr, f.Tags))
}

// createdBy is the condition that a client was there at an instant; nil for the
// zero time. Clients from before their creation was stored were.
func createdBy(at time.Time) *expression.ConditionBuilder {
	if at.IsZero() {
		return nil
	}
	created := expression.Name(createdAttr)
	in := expression.Or(created.AttributeNotExists(), created.LessThanEqual(expression.Value(at.UnixMilli())))
	return &in
}

// both is nil for no condition.
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

// oneOf is nil for no values.
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
