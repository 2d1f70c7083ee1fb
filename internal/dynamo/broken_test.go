package dynamo_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// breakMailing makes a stored mailing unreadable.
func breakMailing(t *testing.T, e *dynamotest.Env, id mailing.ID) {
	t.Helper()
	put(t, e, e.Tables.Mailings, map[string]types.AttributeValue{
		"part": &types.AttributeValueMemberS{Value: "0000"}, "id": &types.AttributeValueMemberS{Value: fmt.Sprintf("%07d", id)},
		"start_at": &types.AttributeValueMemberS{Value: "tomorrow"},
	})
}

func TestAMailingThatCannotBeReadDoesNotStopTheWorkOnOthers(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store(atNoon())
	var want []mailing.Mailing
	for n := range 4 {
		m := newMailing(t, s, noon)
		if n == 1 {
			breakMailing(t, e, m.ID)
			continue
		}
		want = append(want, m)
	}
	got, err := s.Live(t.Context())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, live mailings (-want +got):\n%s", err, diff)
	}
	for _, m := range want {
		change(t, s, m.ID, func(m mailing.Mailing) (mailing.Mailing, error) { return m.AsFinished(mailing.Counts{}, noon), nil })
	}
	// If no live mailing can be read, the result must be an error, not an empty list.
	if got, err := s.Live(t.Context()); err == nil {
		t.Errorf("the only live mailing is broken, and Live returns %v without an error", got)
	}
}

func TestARowThatCannotBeReadDoesNotHideOtherDueBatches(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store(atNoon())
	m := newMailing(t, s, noon)
	batches := writeSlice(t, s, m, 3, []mailing.Recipient{queuedTo(19)}, []mailing.Recipient{queuedTo(35)})
	for sort, due := range map[string]time.Time{"batch#lost": noon.Add(-time.Hour), "stray": noon, "batch#0000000035": noon.Add(time.Hour)} {
		put(t, e, e.Tables.Batches, map[string]types.AttributeValue{
			"part": &types.AttributeValueMemberS{Value: fmt.Sprintf("%d#03", m.ID)}, "id": &types.AttributeValueMemberS{Value: sort},
			"due_at": &types.AttributeValueMemberN{Value: strconv.FormatInt(due.UnixMilli(), 10)},
		})
	}
	want := []mailing.Due{{Key: batches[0].Key, DueAt: noon, CreatedAt: noon}, {Key: batches[1].Key, DueAt: noon, CreatedAt: noon}}
	// Batches that are due at the same instant have no order.
	inOrder := cmpopts.SortSlices(func(a, b mailing.Due) bool { return a.Key.String() < b.Key.String() })
	if diff := cmp.Diff(want, dueRows(t, s, m.ID, 3), inOrder); diff != "" {
		t.Errorf("due (-want +got):\n%s", diff)
	}
}
