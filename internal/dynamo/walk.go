package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// walk is a way through one partition of a table or an index, in the order of
// sort keys. Of a table it is strongly consistent; of an index it cannot be.
type walk struct {
	table string
	index string
	key   expression.KeyConditionBuilder
	// filter is what an item must match, nil for all.
	filter     *expression.ConditionBuilder
	descending bool
	// limit is how many matching items are wanted, pages how many DynamoDB
	// pages (1 MB each) are read for them at most.
	limit, pages int
}

// walked is how far a walk came.
type walked struct {
	items []item
	// last is the sort key of the last item looked at, matching or not; "" if
	// there was none.
	last string
	// end: nothing comes behind last.
	end bool
	// pages is how many DynamoDB pages it took.
	pages int
}

// walk goes on until it has found limit matching items, the partition ends, or
// it has read the pages that it may. Whatever stopped it, a walk that goes on
// behind last meets each remaining item once.
func (s *Store) walk(ctx context.Context, w walk) (walked, error) {
	in, err := w.input()
	if err != nil {
		return walked{}, err
	}
	var (
		done    walked
		matched int
		looked  int
	)
	for done.pages < w.pages && !done.end && matched < w.limit {
		in.Limit = w.pageSize(w.limit-matched, looked, matched)
		out, err := s.api.Query(ctx, in)
		if err != nil {
			return walked{}, fmt.Errorf("query %s: %w", w.table, err)
		}
		done.pages++
		done.items = append(done.items, out.Items...)
		matched, looked = len(done.items), looked+int(out.ScannedCount)
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

func (w walk) input() (*dynamodb.QueryInput, error) {
	b := expression.NewBuilder().WithKeyCondition(w.key)
	if w.filter != nil {
		b = b.WithFilter(*w.filter)
	}
	e, err := b.Build()
	if err != nil {
		return nil, fmt.Errorf("build a query of %s: %w", w.table, err)
	}
	in := &dynamodb.QueryInput{
		TableName:                 aws.String(w.table),
		KeyConditionExpression:    e.KeyCondition(),
		FilterExpression:          e.Filter(),
		ExpressionAttributeNames:  e.Names(),
		ExpressionAttributeValues: e.Values(),
		ScanIndexForward:          aws.Bool(!w.descending),
		ConsistentRead:            aws.Bool(w.index == ""),
	}
	if w.index != "" {
		in.IndexName = aws.String(w.index)
	}
	return in, nil
}

// pageSize is how many items the next page should look at to find need more
// that match, judged by what matched so far; nil for as many as 1 MB holds. It
// keeps a walk from reading, and paying for, much more than it returns. One more
// than needed tells whether anything comes behind.
func (w walk) pageSize(need, looked, matched int) *int32 {
	const many = 50_000 // more than a page ever holds
	size := need + 1
	if w.filter != nil && looked > 0 {
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

// lookedAt is the sort key at the end of a page, "" if that is not known.
func lookedAt(out *dynamodb.QueryOutput) (string, error) {
	if len(out.LastEvaluatedKey) == 0 && len(out.Items) > 0 {
		return text(out.Items[len(out.Items)-1], sortKey)
	}
	return text(out.LastEvaluatedKey, sortKey)
}

// cut drops what was found above a limit, as if it had not been looked at.
func (d walked) cut(limit int) (walked, error) {
	d.items, d.end = d.items[:limit], false
	last, err := text(d.items[limit-1], sortKey)
	d.last = last
	return d, err
}

// text is a string attribute, "" if it is not there.
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

// decodeAll decodes items one by one.
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

// partitionAfter is the key condition of what sorts behind after in a partition.
func partitionAfter(attr, part, after string) expression.KeyConditionBuilder {
	in := expression.Key(attr).Equal(expression.Value(part))
	if after == "" {
		return in
	}
	return in.And(expression.Key(sortKey).GreaterThan(expression.Value(after)))
}
