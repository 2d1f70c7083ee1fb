package dynamo_test

import (
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

// reads returns how many calls that read were made.
func reads(f *dynamotest.Faults) int {
	return f.Calls(dynamotest.GetItem) + f.Calls(dynamotest.Query) + f.Calls(dynamotest.BatchGetItem) + f.Calls(dynamotest.Scan)
}

func TestTheStatisticsOfAMailingCostOneReadAndAPageOfItsMessagesTwoMore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ clients, perPage, size int }{
		"three messages in each slice": {48, 1000, 50},
		"batches of windows":           {800, 1000, 10},
		"large slices":                 {4000, 100, 50},
	} {
		e := dynamotest.Start(t)
		m := newMailing(t, e.Store(), noon)
		expand(t, e.Store(), m, noon, someIDs(c.clients, mailing.Slices), c.perPage, c.size, everyone(mailing.Queued))
		faults := dynamotest.NewFaults(e.Client)
		s := e.StoreOver(faults, atNoon())
		st, err := s.Statistics(t.Context(), m.ID)
		if err != nil || st.Counts.Total != int64(c.clients) {
			t.Fatalf("%s: %+v, %v", name, st.Progress, err)
		}
		if n := reads(faults); n != 1 {
			t.Errorf("%s: the statistics cost %d reads", name, n)
		}
		page, err := s.MessagesOf(t.Context(), st, mailing.MessageQuery{Limit: 50})
		if err != nil || len(page.Items) != min(50, c.clients) {
			t.Fatalf("%s: %d messages, %v", name, len(page.Items), err)
		}
		if n := reads(faults); n > 3 {
			t.Errorf("%s: with messages they cost %d reads", name, n)
		}
	}
}

func TestMessagesOfReadStatisticsAreThoseOfTheList(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store(atNoon())
	m := newMailing(t, s, noon)
	to := someIDs(700, mailing.Slices)
	expand(t, s, m, noon, to, 1000, 20, mixed)
	for _, status := range messageFilters {
		for _, limit := range []int{1, 7, 100} {
			got := all(t, limit, func(cursor string) (mailing.List[mailing.Message], error) {
				st, err := s.Statistics(t.Context(), m.ID)
				if err != nil {
					t.Fatal(err)
				}
				return s.MessagesOf(t.Context(), st, mailing.MessageQuery{Status: status, Limit: limit, Cursor: cursor})
			})
			var ids []mailing.MessageID
			for _, msg := range got {
				ids = append(ids, msg.ID)
			}
			if diff := cmp.Diff(messagesIn(m, to, status), ids); diff != "" {
				t.Errorf("%q by %d (-want +got):\n%s", status, limit, diff)
			}
		}
	}
}

// A deployment from before the states of slices counted batches may have begun a slice.
func TestBatchesThatTheStateOfASliceDoesNotCountAreListed(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store(atNoon())
	m := newMailing(t, s, noon)
	to := someIDs(96, mailing.Slices)
	expand(t, s, m, noon, to, 3, 50, everyone(mailing.Queued))
	for slice := range mailing.Slices {
		_, err := e.Client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: &e.Tables.Batches, Key: dynamo.SliceKey(m.ID, slice),
			UpdateExpression:         aws.String("SET #batches = :one, #head_batches = :one"),
			ExpressionAttributeNames: map[string]string{"#batches": "batches", "#head_batches": "head_batches"},
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":one": &types.AttributeValueMemberN{Value: "1"},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := listMessages(t, s, mailing.MessageQuery{Mailing: m.ID, Limit: 100}); len(got) != len(to) {
		t.Errorf("%d of %d messages are listed", len(got), len(to))
	}
}

func TestTheStatisticsOfAnUnknownMailingAreNotFound(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	for _, id := range []mailing.ID{0, 7, mailing.MaxID + 1} {
		_, err := s.Statistics(t.Context(), id)
		wantKind(t, err, mailing.KindNotFound)
	}
}

func overview(t *testing.T, s *dynamo.Store, seen string) mailing.Overview {
	t.Helper()
	o, err := s.Overview(t.Context(), mailing.MailingQuery{Limit: 50}, seen)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestAnUnchangedOverviewCostsOneRead(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	fiveMailings(t, e.Store())
	first := overview(t, e.Store(), "")
	faults := dynamotest.NewFaults(e.Client)
	again := overview(t, e.StoreOver(faults), first.Version)
	if want := (mailing.Overview{Version: first.Version, Unchanged: true}); !cmp.Equal(want, again) {
		t.Error(cmp.Diff(want, again))
	}
	if n := reads(faults); n != 1 {
		t.Errorf("it cost %d reads", n)
	}
	if overview(t, e.StoreOver(faults), ""); reads(faults) > 1+4 {
		t.Errorf("the whole overview cost %d reads", reads(faults)-1)
	}
}

func TestEachChangeMakesAnotherVersionOfTheOverview(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store(atNoon())
	m := newMailing(t, s, noon)
	version := overview(t, s, "").Version
	var old []string
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"a page is expanded", func() { expand(t, s, m, noon, someIDs(3, 1), 2, 2, everyone(mailing.Queued)) }},
		{"a batch is settled", func() {
			send(t, s, m, mailing.BatchKey{Mailing: m.ID, Batch: mailing.BatchID{First: inStorageOrder(someIDs(3, 1))[0]}})
		}},
		{"another mailing is created", func() { newMailing(t, s, noon) }},
		{"a mailing is paused", func() {
			change(t, s, m.ID, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Paused(noon) })
		}},
		{"a mailing finishes", func() { finish(t, s, m.ID, counts(mailing.Sent, 3)) }},
		{"a finished mailing is deleted", func() {
			change(t, s, m.ID, func(m mailing.Mailing) (mailing.Mailing, error) { return m.AsDeleted(noon.Add(time.Second)), nil })
		}},
	} {
		step.do()
		old = append(old, version)
		for _, seen := range old {
			got := overview(t, s, seen)
			if got.Unchanged {
				t.Errorf("%s: version %s is said to be unchanged", step.name, seen)
			}
			version = got.Version
		}
		if !overview(t, s, version).Unchanged {
			t.Errorf("%s: the new version is not recognised", step.name)
		}
	}
}

// A version must never be newer than the page that it comes with: then the page would be
// taken for the present one.
func TestAChangeDuringAnOverviewIsNoticedByTheNextOne(t *testing.T) {
	t.Parallel()
	for _, at := range []struct {
		op dynamotest.Op
		n  int
	}{
		{dynamotest.BatchGetItem, 1}, {dynamotest.Query, 1}, {dynamotest.BatchGetItem, 2}, {dynamotest.Query, 2},
	} {
		for name, change := range map[string]func(*dynamo.Store, mailing.ID){
			"finish": func(s *dynamo.Store, id mailing.ID) { finish(t, s, id, counts(mailing.Sent, 32)) },
			"create": func(s *dynamo.Store, _ mailing.ID) { newMailing(t, s, noon) },
		} {
			e := dynamotest.Start(t)
			running := fiveMailings(t, e.Store())
			faults := dynamotest.NewFaults(e.Client)
			faults.On(at.op, at.n, dynamotest.Fault{Before: func() { change(e.Store(), running.ID) }})
			first := overview(t, e.StoreOver(faults), "")
			next := overview(t, e.Store(), first.Version)
			now := overview(t, e.Store(), "")
			first.Version, now.Version = "", ""
			if next.Unchanged && !cmp.Equal(first, now) {
				t.Errorf("%s before %s %d: the answer before is said to be the present one: %s", name, at.op, at.n, cmp.Diff(now, first))
			}
		}
	}
}

func TestATextThatIsNoVersionIsIgnored(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	fiveMailings(t, s)
	version := overview(t, s, "").Version
	for _, seen := range []string{".", "x", "x.1.1", "x.2.1", "x.zzzzzzzzz", "x.-1", version + ".more", version + "." + version} {
		if overview(t, s, seen).Unchanged {
			t.Errorf("%q is taken for a version", seen)
		}
	}
}
