package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
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

func settled(sent, failed, uncertain int64) mailing.Counts {
	return mailing.Counts{Sent: sent, Failed: failed, Uncertain: uncertain, Queued: -sent - failed - uncertain}
}

func count(t *testing.T, s *dynamo.Store, m mailing.Mailing, c mailing.Counts) {
	t.Helper()
	if err := s.CountSettled(t.Context(), m, c); err != nil {
		t.Fatal(err)
	}
}

func points(t *testing.T, s *dynamo.Store, m mailing.Mailing) []mailing.Point {
	t.Helper()
	all, err := s.Series(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func rate(t *testing.T, s *dynamo.Store, id mailing.ID) float64 {
	t.Helper()
	st, err := s.Statistics(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return st.Rate
}

// seriesItems returns the items of the series of a mailing, in the order of time.
func seriesItems(t *testing.T, e *dynamotest.Env, id mailing.ID) []map[string]types.AttributeValue {
	t.Helper()
	out, err := e.Client.Query(t.Context(), &dynamodb.QueryInput{
		TableName: &e.Tables.Batches, ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("#part = :part"),
		ExpressionAttributeNames:  map[string]string{"#part": "part"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":part": &types.AttributeValueMemberS{Value: fmt.Sprintf("%d#series", id)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Items
}

// bytesOf returns the size of an item of texts and whole numbers, by the rules of
// docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html.
func bytesOf(t *testing.T, it map[string]types.AttributeValue) (n int) {
	t.Helper()
	for name, value := range it {
		n += len(name)
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			n += len(v.Value)
		case *types.AttributeValueMemberN:
			n += (len(strings.TrimRight(v.Value, "0"))+1)/2 + 2 // one byte more than needed, for any alignment
		default:
			t.Fatalf("attribute %s is of type %T", name, value)
		}
	}
	return n
}

func TestSettledMessagesAreCountedInStepsOfTenSeconds(t *testing.T) {
	t.Parallel()
	e, clock := dynamotest.Start(t), dynamotest.NewClock(noon)
	s := e.Store(clock.Option())
	m, other := newMailing(t, s, noon), newMailing(t, s, noon)
	if got := points(t, s, m); len(got) != 0 {
		t.Errorf("before the first message: %v", got)
	}
	count(t, s, m, settled(3, 0, 0))
	clock.Advance(9 * time.Second)
	count(t, s, m, settled(2, 1, 1))
	count(t, s, other, settled(100, 0, 0))
	clock.Advance(time.Second)
	count(t, s, m, settled(0, 0, 4))
	clock.Advance(4*time.Minute + 40*time.Second) // the last step of the item
	count(t, s, m, settled(0, 5, 0))
	clock.Advance(10 * time.Second) // the first step of the next one
	count(t, s, m, settled(6, 0, 0))
	clock.Advance(50 * time.Hour)
	count(t, s, m, settled(0, 0, 0)) // nothing
	count(t, s, m, settled(7, 0, 0))
	want := []mailing.Point{
		{At: noon, Sent: 5, Failed: 1, Uncertain: 1},
		{At: noon.Add(10 * time.Second), Uncertain: 4},
		{At: noon.Add(290 * time.Second), Failed: 5},
		{At: noon.Add(300 * time.Second), Sent: 6},
		{At: noon.Add(300*time.Second + 50*time.Hour), Sent: 7},
	}
	m.EndAt = m.EndAt.Add(100 * time.Hour)
	if diff := cmp.Diff(want, points(t, s, m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := len(seriesItems(t, e, m.ID)); n != 3 {
		t.Errorf("%d items", n)
	}
}

// TestACountCostsOneWriteUnit lets every count of a five minutes' item be as large as a
// sender can make it, and all of the mailing's numbers as long as they can be.
func TestACountCostsOneWriteUnit(t *testing.T) {
	t.Parallel()
	e, clock := dynamotest.Start(t), dynamotest.NewClock(noon)
	faults := dynamotest.NewFaults(e.Client)
	s := e.StoreOver(faults, clock.Option())
	m := mailing.Mailing{ID: mailing.MaxID, Draft: mailing.Draft{EndAt: noon.Add(time.Hour)}}
	for range 30 {
		count(t, s, m, settled(9_999_999, 9_999_999, 9_999_999))
		clock.Advance(10 * time.Second)
	}
	items := seriesItems(t, e, m.ID)
	if len(items) != 1 || len(items[0]) != 3+90 {
		t.Fatalf("%d items", len(items))
	}
	if n := bytesOf(t, items[0]); n > 1024 {
		t.Errorf("an item of %d bytes costs two write units", n)
	} else {
		t.Logf("figure: an item of five minutes has at most %d bytes: each count costs one write unit", n)
	}
	// The same number of calls as messages alone would cost, whatever is counted.
	if n := faults.Calls(dynamotest.UpdateItem); n != 30 {
		t.Errorf("30 counts made %d updates", n)
	}
	if n := faults.Calls(dynamotest.TransactWriteItems) + faults.Calls(dynamotest.BatchGetItem) + faults.Calls(dynamotest.GetItem) + faults.Calls(dynamotest.Query); n > 0 {
		t.Errorf("%d other calls", n)
	}
}

// keysRead counts the keys of batch reads.
type keysRead struct {
	dynamo.API
	keys []int
}

func (k *keysRead) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	for _, table := range in.RequestItems {
		k.keys = append(k.keys, len(table.Keys))
	}
	return k.API.BatchGetItem(ctx, in, opts...)
}

func TestTheRateIsThatOfTheLastMinute(t *testing.T) {
	t.Parallel()
	e, clock := dynamotest.Start(t), dynamotest.NewClock(noon.Add(-55*time.Second))
	api := &keysRead{API: e.Client}
	s := e.StoreOver(api, clock.Option())
	m := newMailing(t, s, noon)
	if got := rate(t, s, m.ID); got != 0 {
		t.Errorf("before the first message: %v", got)
	}
	for _, c := range []struct {
		wait time.Duration
		sent int64
		want float64 // messages of the last 60 to 70 seconds
	}{
		{0, 60, 60.0 / 65},
		{10 * time.Second, 40, 100.0 / 65},
		{50 * time.Second, 0, 100.0 / 65}, // in the next item
		{5 * time.Second, 0, 40.0 / 60},   // the first step is over a minute old
		{9 * time.Second, 0, 40.0 / 69},
		{time.Second, 0, 0},
		{time.Hour, 30, 30.0 / 60},
	} {
		clock.Advance(c.wait)
		count(t, s, m, settled(c.sent, 5, 5))
		if got := rate(t, s, m.ID); got != c.want {
			t.Errorf("at %s: %v, want %v", clock.Now(), got, c.want)
		}
	}
	for _, n := range api.keys {
		// Either one is the mailing, or they are its slices and up to two of the series.
		if n > mailing.Slices+2 {
			t.Errorf("the statistics read %d items of a table", n)
		}
	}
}

func TestASeriesIsKeptAsLongAsTheMessages(t *testing.T) {
	t.Parallel()
	e, clock := dynamotest.Start(t), dynamotest.NewClock(noon)
	s := e.Store(clock.Option())
	m := newMailing(t, s, noon)
	count(t, s, m, settled(1, 0, 0))
	kept := m.EndAt.Add(dynamotest.Retention)
	if diff := cmp.Diff([]time.Time{kept}, expiries(t, e, m.ID)); diff != "" {
		t.Errorf("times to live (-want +got):\n%s", diff)
	}
	clock.AdvanceTo(kept.Add(-time.Second))
	if got := points(t, s, m); len(got) != 1 {
		t.Errorf("while messages are kept: %v", got)
	}
	clock.Advance(time.Second)
	if got := points(t, s, m); len(got) != 0 { // DynamoDB may be late with its removal
		t.Errorf("after that: %v", got)
	}
}

// expiries returns the times to live of the items of a series.
func expiries(t *testing.T, e *dynamotest.Env, id mailing.ID) (all []time.Time) {
	t.Helper()
	for _, it := range seriesItems(t, e, id) {
		n, ok := it["ttl"].(*types.AttributeValueMemberN)
		if !ok {
			t.Fatalf("no time to live: %v", it)
		}
		seconds, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, time.Unix(seconds, 0).UTC())
	}
	return all
}

// extendSeries extends a series page by page, and returns how many pages it has.
func extendSeries(t *testing.T, s *dynamo.Store, m mailing.Mailing) (pages int) {
	t.Helper()
	for after := ""; pages == 0 || after != ""; pages++ {
		var err error
		if after, err = s.ExtendSeries(t.Context(), m, after); err != nil {
			t.Fatal(err)
		}
	}
	return pages
}

func TestASeriesIsKeptByALaterEnd(t *testing.T) {
	t.Parallel()
	e, clock := dynamotest.Start(t), dynamotest.NewClock(noon)
	s := e.Store(clock.Option())
	m := newMailing(t, s, noon)
	for range 130 {
		count(t, s, m, settled(1, 0, 0))
		clock.Advance(5 * time.Minute)
	}
	later := m
	later.EndAt = m.EndAt.Add(time.Hour)
	count(t, s, later, settled(1, 0, 0)) // by a sender that knows the later end
	if pages := extendSeries(t, s, later); pages != 3 {
		t.Errorf("%d pages", pages)
	}
	for i, at := range expiries(t, e, m.ID) {
		if !at.Equal(later.EndAt.Add(dynamotest.Retention)) {
			t.Errorf("item %d is kept until %s", i, at)
		}
	}
	// A repetition writes nothing, and an earlier end shortens no time to live.
	faults := dynamotest.NewFaults(e.Client)
	extendSeries(t, e.StoreOver(faults, clock.Option()), later)
	extendSeries(t, e.StoreOver(faults, clock.Option()), m)
	if n := faults.Calls(dynamotest.UpdateItem); n > 0 {
		t.Errorf("done again it makes %d writes", n)
	}
}

func TestASeriesOfSeveralPagesIsWhole(t *testing.T) {
	t.Parallel()
	e, clock := dynamotest.Start(t), dynamotest.NewClock(noon)
	s := e.Store(clock.Option())
	m := newMailing(t, s, noon)
	for range 50 {
		count(t, s, m, settled(1, 0, 0))
		clock.Advance(5 * time.Minute)
	}
	got := points(t, e.StoreOver(smallPages{e.Client, 7}, clock.Option()), m)
	if diff := cmp.Diff(points(t, s, m), got); diff != "" || len(got) != 50 {
		t.Errorf("%d points, in pages (-want +got):\n%s", len(got), diff)
	}
	// A longer series loses its beginning.
	got = points(t, e.StoreOver(smallPages{e.Client, 1}, clock.Option()), m)
	if len(got) != 25 || !got[24].At.Equal(noon.Add(49*5*time.Minute)) {
		t.Errorf("%d points of 25 pages", len(got))
	}
}

func TestASeriesThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	broken := errors.New("no")
	m := newMailing(t, e.Store(), time.Now())
	for _, op := range []dynamotest.Op{dynamotest.Query, dynamotest.BatchGetItem, dynamotest.UpdateItem} {
		faults := dynamotest.NewFaults(e.Client)
		faults.Always(op, dynamotest.Fault{Refuse: broken})
		s := e.StoreOver(faults)
		_, seriesErr := s.Series(t.Context(), m)
		_, rateErr := s.Statistics(t.Context(), m.ID)
		countErr := s.CountSettled(t.Context(), m, settled(1, 0, 0))
		_, extendErr := s.ExtendSeries(t.Context(), m, "")
		got := map[string]bool{
			"series": errors.Is(seriesErr, broken), "rate": errors.Is(rateErr, broken),
			"count": errors.Is(countErr, broken), "extend": errors.Is(extendErr, broken),
		}
		want := map[string]bool{
			"series": op == dynamotest.Query, "rate": op == dynamotest.BatchGetItem,
			"count": op == dynamotest.UpdateItem, "extend": op == dynamotest.Query,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", op, diff)
		}
	}
	put(t, e, e.Tables.Batches, map[string]types.AttributeValue{
		"part": &types.AttributeValueMemberS{Value: fmt.Sprintf("%d#series", m.ID)}, "id": &types.AttributeValueMemberS{Value: "odd"},
	})
	if got, err := e.Store().Series(t.Context(), m); err == nil {
		t.Errorf("an odd item gives %v", got)
	}
}
