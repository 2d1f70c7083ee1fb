package dynamo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// dueItem is a row of the index of pending batches.
type dueItem struct {
	Part       string `dynamodbav:"part"`
	Sort       string `dynamodbav:"id"`
	DueAt      int64  `dynamodbav:"due_at"`
	NotBefore  int64  `dynamodbav:"not_before"`
	LeaseUntil int64  `dynamodbav:"lease_until"`
	Generation int64  `dynamodbav:"plan"`
	CreatedAt  int64  `dynamodbav:"created_at"`
	Sweeps     int    `dynamodbav:"sweeps"`
}

// Due calls visit with the pending batches of a slice of a mailing, page by page in the
// order of their due_at. It includes batches due up to until (inclusive); the zero time
// means no limit. It stops when visit returns false or an error.
//
// The index is eventually consistent: a batch that has just changed may be missing, or
// be there in its old state.
func (s *Store) Due(ctx context.Context, id mailing.ID, slice int, until time.Time, visit func([]mailing.Due) (more bool, err error)) error {
	w := walk{
		table: s.tables.Batches, index: dueIndex,
		key: "#part = :part", values: item{":part": str(batchPart(id, slice))},
	}
	if !until.IsZero() {
		w.key += " AND #due_at <= :until"
		w.values[":until"] = millis(until)
	}
	for pages := dynamodb.NewQueryPaginator(s.api, w.input()); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list the due batches of mailing %d slice %d: %w", id, slice, err)
		}
		rows := make([]mailing.Due, 0, len(page.Items))
		for _, it := range page.Items {
			row, err := decodeDue(it)
			if err != nil {
				// One broken row must not stop the work on the others.
				slog.ErrorContext(ctx, "due batch cannot be read", "mailing_id", id, "slice", slice, "error", err)
				continue
			}
			rows = append(rows, row)
		}
		// visit may write to the batches of this page: the query continues after the
		// last key of the page. A batch that is moved to a later due_at may come again.
		if more, err := visit(rows); err != nil || !more {
			return err
		}
	}
	return nil
}

// decodeDue decodes a row of the index.
func decodeDue(encoded item) (mailing.Due, error) {
	var it dueItem
	if err := attributevalue.UnmarshalMap(encoded, &it); err != nil {
		return mailing.Due{}, fmt.Errorf("decode a due batch: %w", err)
	}
	k, err := decodeBatchKey(it.Part, it.Sort)
	if err != nil {
		return mailing.Due{}, err
	}
	return mailing.Due{
		Key: k, DueAt: fromMillis(it.DueAt), NotBefore: fromMillis(it.NotBefore),
		LeaseUntil: fromMillis(it.LeaseUntil), Generation: it.Generation, CreatedAt: fromMillis(it.CreatedAt), Sweeps: it.Sweeps,
	}, nil
}

// Postpone moves the due_at of a batch to due, before the batch is queued again, and
// counts the sweep. If freed is true, the batch may be claimed at once. Postpone
// reports false, and writes nothing, if the stored due_at is not that of seen. Then
// another process has taken the batch.
func (s *Store) Postpone(ctx context.Context, seen mailing.Due, due time.Time, freed bool) (bool, error) {
	u := update{
		table: s.tables.Batches, key: batchKey(seen.Key), change: "SET #due_at = :due, #sweeps = :sweeps",
		// Each process that takes a batch changes its due_at. So an unchanged due_at
		// means that no other process has taken the batch.
		condition: "#due_at = :seen",
		values:    item{":seen": millis(seen.DueAt), ":due": millis(due), ":sweeps": num(seen.Sweeps + 1)},
	}
	if freed {
		u.change += " REMOVE #not_before"
	}
	in := u.input()
	// The refusal returns the batch, so that postponed can recognise a repeated call.
	in.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	_, err := s.api.UpdateItem(ctx, in)
	var condition *types.ConditionalCheckFailedException
	if errors.As(err, &condition) {
		return postponed(condition.Item, seen, due), nil
	}
	if err != nil {
		return false, fmt.Errorf("postpone batch %s: %w", seen.Key, err)
	}
	return true, nil
}

// postponed reports whether a refused call found the batch as the call was to leave it.
// Then the first try has succeeded, its answer was lost, and the SDK has repeated the
// call.
func postponed(encoded item, seen mailing.Due, due time.Time) bool {
	var it dueItem
	return attributevalue.UnmarshalMap(encoded, &it) == nil && it.DueAt == due.UnixMilli() && it.Sweeps == seen.Sweeps+1
}
