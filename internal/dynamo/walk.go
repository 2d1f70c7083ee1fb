package dynamo

import (
	"context"
	"fmt"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// walk describes a query that reads one partition of a table or an index, page by page,
// in the order of sort keys. Reads of a table are strongly consistent; reads of an
// index cannot be.
type walk struct {
	table string
	index string
	// key is the key condition. filter is the condition that an item must match; an
	// empty filter matches every item. values holds the values of both.
	key, filter string
	values      item
	descending  bool
	// limit is how many matching items are wanted. pages is how many DynamoDB pages, of
	// 1 MB each, are read for them at most.
	limit, pages int
}

// walked is the result of a walk.
type walked struct {
	items []item
	// last is the sort key of the last item that was looked at, whether it matched or
	// not; "" if there was none. If end is true, last may be an earlier item, after
	// which none matched.
	last string
	// end reports that no item comes after last.
	end bool
	// pages is how many DynamoDB pages were read.
	pages int
}

// walk reads until it has found limit matching items, the partition ends, or w.pages
// pages are read. In each case a later walk that begins after last finds each remaining
// matching item once.
func (s *Store) walk(ctx context.Context, w walk) (walked, error) {
	in := w.input()
	var (
		done    walked
		matched int
		looked  int
	)
	for done.pages < w.pages && !done.end && matched < w.limit {
		// Limit counts the items that are looked at, not those that match.
		in.Limit = w.pageSize(w.limit-matched, looked, matched)
		out, err := s.api.Query(ctx, in)
		if err != nil {
			return walked{}, fmt.Errorf("query %s: %w", w.table, err)
		}
		done.pages++
		done.items = append(done.items, out.Items...)
		matched, looked = len(done.items), looked+int(out.ScannedCount)
		// A page may be empty although more follow: only a missing LastEvaluatedKey is
		// the end.
		in.ExclusiveStartKey = out.LastEvaluatedKey
		done.end = len(out.LastEvaluatedKey) == 0
		if last, err := lookedAt(out); err != nil {
			return walked{}, err
		} else if last != "" {
			done.last = last
		}
	}
	if matched > w.limit {
		return done.cut(w.limit)
	}
	return done, nil
}

// where adds a condition to those that an item must match.
func (w *walk) where(condition string, values item) {
	if w.filter != "" {
		w.filter += " AND "
	}
	w.filter += "(" + condition + ")"
	maps.Copy(w.values, values)
}

// input returns the query without a limit and without a start.
func (w *walk) input() *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName: &w.table, IndexName: optional(w.index),
		KeyConditionExpression: &w.key, FilterExpression: optional(w.filter),
		ExpressionAttributeNames: names(w.key, w.filter), ExpressionAttributeValues: w.values,
		ScanIndexForward: aws.Bool(!w.descending), ConsistentRead: aws.Bool(w.index == ""),
	}
}

// pageSize returns how many items the next page should look at to find need more items
// that match. With a filter it estimates this by the share that has matched so far. It
// returns nil if the page should look at as many items as 1 MB holds.
//
// The limit keeps a walk from reading, and paying for, much more than it returns. One
// item more than needed shows whether anything follows.
func (w *walk) pageSize(need, looked, matched int) *int32 {
	const many = 50_000 // more than a page ever holds
	size := need + 1
	if w.filter != "" && looked > 0 {
		if matched == 0 {
			return nil
		}
		size = need*looked/matched + 1
	}
	if size > many {
		return nil
	}
	return aws.Int32(int32(size)) //nolint:gosec // G115: bounded above
}

// lookedAt returns the sort key of the last item that a page looked at. On the last
// page of a partition it returns the sort key of the last matching item, because
// DynamoDB returns no key of an item that does not match. It returns "" if the page has
// neither.
func lookedAt(out *dynamodb.QueryOutput) (string, error) {
	if len(out.LastEvaluatedKey) == 0 && len(out.Items) > 0 {
		return text(out.Items[len(out.Items)-1], sortKey)
	}
	return text(out.LastEvaluatedKey, sortKey)
}

// cut drops the items above limit, as if the walk had not looked at them.
func (d walked) cut(limit int) (walked, error) {
	d.items, d.end = d.items[:limit], false
	last, err := text(d.items[limit-1], sortKey)
	d.last = last
	return d, err
}

// text returns a string attribute; "" if the item does not have it.
func text(it item, attr string) (string, error) {
	value, ok := it[attr]
	if !ok {
		return "", nil
	}
	s, ok := value.(*types.AttributeValueMemberS)
	if !ok {
		return "", fmt.Errorf("attribute %s is no string", attr)
	}
	return s.Value, nil
}

// decodeAll decodes all items. It fails with the first item that cannot be decoded.
func decodeAll[T any](items []item, decode func(item) (T, error)) ([]T, error) {
	all := make([]T, 0, len(items))
	for _, it := range items {
		t, err := decode(it)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}
