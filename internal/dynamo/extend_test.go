package dynamo_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// ttls returns the times to live of the batches of slice 3, in storage order; the zero
// time for a batch without one.
func ttls(t *testing.T, e *dynamotest.Env, id mailing.ID) []time.Time {
	t.Helper()
	out, err := e.Client.Query(t.Context(), &dynamodb.QueryInput{
		TableName: &e.Tables.Batches, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:   aws.String("#part = :part AND begins_with(#id, :batch)"),
		ExpressionAttributeNames: map[string]string{"#part": "part", "#id": "id"},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":part": &types.AttributeValueMemberS{Value: fmt.Sprintf("%d#03", id)}, ":batch": &types.AttributeValueMemberS{Value: "batch#"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	all := make([]time.Time, len(out.Items))
	for i, it := range out.Items {
		if n, ok := it["ttl"].(*types.AttributeValueMemberN); ok {
			seconds, err := strconv.ParseInt(n.Value, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			all[i] = time.Unix(seconds, 0).UTC()
		}
	}
	return all
}

// extendAll extends the batches of slice 3 page by page. It returns how many batches
// were held, and the number of pages.
func extendAll(t *testing.T, s *dynamo.Store, m mailing.Mailing) (held, pages int) {
	t.Helper()
	for after := ""; pages == 0 || after != ""; pages++ {
		next, some, err := s.ExtendBatches(t.Context(), m, 3, after)
		if err != nil {
			t.Fatal(err)
		}
		held, after = held+some, next
	}
	return held, pages
}

func TestSettledBatchesAreKeptByTheNewEndAndTheOthersAreLeft(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store(atNoon())
	m := newMailing(t, s, noon)
	batches := writeSlice(t, s, m, 3,
		[]mailing.Recipient{sentTo(19)},
		[]mailing.Recipient{sentTo(35), queuedTo(51)},
		[]mailing.Recipient{sentTo(67), queuedTo(83)}, // held
		[]mailing.Recipient{failedTo(99)},
		[]mailing.Recipient{queuedTo(115)}) // its lease has ended
	mustClaim(t, s, batches[2].Key, "me", noon, noon.Add(time.Minute))
	mustClaim(t, s, batches[4].Key, "gone", noon, noon)
	old := m.EndAt.Add(dynamotest.Retention)
	if diff := cmp.Diff([]time.Time{old, {}, {}, old, {}}, ttls(t, e, m.ID)); diff != "" {
		t.Fatalf("before (-want +got):\n%s", diff)
	}
	m = moveEnd(t, s, m, time.Hour)
	held, _ := extendAll(t, s, m)
	kept := old.Add(time.Hour)
	if diff := cmp.Diff([]time.Time{kept, {}, {}, kept, {}}, ttls(t, e, m.ID)); diff != "" || held != 1 {
		t.Errorf("%d are held; times to live (-want +got):\n%s", held, diff)
	}
	// A repetition writes nothing, and an earlier end shortens no time to live.
	faults := dynamotest.NewFaults(e.Client)
	extendAll(t, e.StoreOver(faults, atNoon()), m)
	extendAll(t, e.StoreOver(faults, atNoon()), moveEnd(t, s, m, -2*time.Hour))
	if n := faults.Calls(dynamotest.UpdateItem); n > 0 {
		t.Errorf("the repetitions make %d writes", n)
	}
}

func TestABatchThatBecomesPendingDuringItsExtensionGetsNoTimeToLive(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store(atNoon())
	m := newMailing(t, s, noon)
	batches := writeSlice(t, s, m, 3, []mailing.Recipient{failedTo(19)})
	m = moveEnd(t, s, m, time.Hour)
	faults := dynamotest.NewFaults(e.Client)
	faults.On(dynamotest.UpdateItem, 1, dynamotest.Fault{Before: func() {
		if left, err := s.Requeue(t.Context(), m, 3, requeuings(batches)); err != nil || len(left) > 0 {
			t.Errorf("requeue it: %d left, %v", len(left), err)
		}
	}})
	extendAll(t, e.StoreOver(faults, atNoon()), m)
	if diff := cmp.Diff([]time.Time{{}}, ttls(t, e, m.ID)); diff != "" {
		t.Errorf("times to live (-want +got):\n%s", diff)
	}
}

func TestEachPageOfASliceIsExtended(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store(atNoon())
	m := newMailing(t, s, noon)
	expand(t, s, m, noon, inSlice(3, 150), 80, 1, everyone(mailing.Sent))
	m = moveEnd(t, s, m, time.Hour)
	_, pages := extendAll(t, s, m)
	all := ttls(t, e, m.ID)
	for i, ttl := range all {
		if !ttl.Equal(m.EndAt.Add(dynamotest.Retention)) {
			t.Errorf("batch %d is kept until %s", i, ttl)
		}
	}
	if len(all) != 150 || pages < 3 {
		t.Errorf("%d batches in %d pages", len(all), pages)
	}
}

func TestASliceIsMarkedAsExtendedOnlyIfNoPageWasWrittenSince(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	first := newMailing(t, s, noon)
	expand(t, s, first, noon, inSlice(3, 2), 1, 1, everyone(mailing.Sent))
	state, err := s.Slice(t.Context(), first.ID, 3)
	if err != nil {
		t.Fatal(err)
	}
	extended := moveEnd(t, s, first, time.Hour)
	again := moveEnd(t, s, extended, time.Hour)
	before := state
	before.Cursor = inSlice(3, 1)[0] // as if a page had been written since
	for _, step := range []struct {
		name  string
		m     mailing.Mailing
		state mailing.SliceState
		want  bool
	}{
		{"a page was written since", extended, before, false},
		{"no page was written since", extended, state, true},
		{"for the same edit again", extended, state, false},
		{"for a later edit", again, state, true},
		{"for an earlier edit", extended, state, false},
	} {
		if marked, err := s.MarkExtended(t.Context(), step.m, 3, step.state); err != nil || marked != step.want {
			t.Errorf("%s: marked %t, %v", step.name, marked, err)
		}
	}
	if got, err := s.Slice(t.Context(), first.ID, 3); err != nil || !got.ExtendedAt.Equal(again.ExtendedAt) {
		t.Errorf("extended at %s, want %s; %v", got.ExtendedAt, again.ExtendedAt, err)
	}
}

func TestAPageThatExpiresByAnEarlierEndThanItsSliceIsNotWritten(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	old := newMailing(t, s, noon)
	ids := inSlice(3, 3)
	write := func(m mailing.Mailing, seen mailing.ClientID, to mailing.ClientID) bool {
		t.Helper()
		written, err := s.WritePage(t.Context(), m, pageOf(m, 3, seen, false, 1, noon, []mailing.ClientID{to}, everyone(mailing.Expired)))
		if err != nil {
			t.Fatal(err)
		}
		return written
	}
	if !write(old, 0, ids[0]) {
		t.Fatal("the first page is not written")
	}
	extended := moveEnd(t, s, old, time.Hour)
	state, err := s.Slice(t.Context(), old.ID, 3)
	if err != nil {
		t.Fatal(err)
	}
	if marked, err := s.MarkExtended(t.Context(), extended, 3, state); err != nil || !marked {
		t.Fatalf("marked %t, %v", marked, err)
	}
	if write(old, ids[0], ids[1]) {
		t.Error("a page that was planned before the edit is written")
	}
	if !write(extended, ids[0], ids[1]) {
		t.Error("a page that was planned after the edit is not written")
	}
}
