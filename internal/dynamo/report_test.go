package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// reported is the day that the report is about.
var reported = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func TestOfTwentyRunsAtOnceOneClaimsTheReport(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	var (
		group   sync.WaitGroup
		claimed atomic.Int32
	)
	for n := range 20 {
		group.Go(func() {
			ok, err := s.ClaimReport(t.Context(), reported, fmt.Sprintf("run %d", n), noon, noon.Add(time.Minute))
			if err != nil {
				t.Error(err)
			}
			if ok {
				claimed.Add(1)
			}
		})
	}
	group.Wait()
	if n := claimed.Load(); n != 1 {
		t.Errorf("claimed %d times", n)
	}
}

func TestAReportIsClaimedAgainAfterItsLeaseUntilItIsDone(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	claim := func(holder string, now time.Time, want bool) {
		t.Helper()
		if ok, err := s.ClaimReport(t.Context(), reported, holder, now, now.Add(time.Minute)); ok != want || err != nil {
			t.Errorf("%s claims at %s: %t, %v", holder, now.Format(time.TimeOnly), ok, err)
		}
	}
	mark := func(holder string, want bool) {
		t.Helper()
		if ok, err := s.MarkReported(t.Context(), reported, holder, mailing.Reported{At: noon}); ok != want || err != nil {
			t.Errorf("%s marks: %t, %v", holder, ok, err)
		}
	}
	claim("a", noon, true)
	claim("a", noon, true) // an answer was lost
	claim("b", noon.Add(59*time.Second), false)
	claim("b", noon.Add(time.Minute), true)
	mark("a", false)
	mark("b", true)
	mark("b", true) // an answer was lost
	claim("a", noon.Add(time.Hour), false)
	claim("b", noon.Add(time.Hour), false)
}

func TestTheLastReportIsThatOfTheNewestDayWithAPublishedReport(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	want := mailing.Reported{At: noon, Counts: map[mailing.ID]mailing.Counts{
		7: {Total: 45, Queued: 1, Retrying: 2, Deferred: 3, Sent: 4, Failed: 5, Expired: 6, Cancelled: 7, Skipped: 8, Uncertain: 9},
		8: {},
	}}
	publish := func(day time.Time, r mailing.Reported) {
		t.Helper()
		_, err := s.ClaimReport(t.Context(), day, "a", noon, noon.Add(time.Minute))
		if err == nil {
			_, err = s.MarkReported(t.Context(), day, "a", r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	publish(reported.AddDate(0, 0, -1), mailing.Reported{At: noon.Add(-24 * time.Hour)})
	publish(reported, want)
	// This report was begun but never published.
	if _, err := s.ClaimReport(t.Context(), reported.AddDate(0, 0, 1), "a", noon, noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for days, want := range map[int]mailing.Reported{1: want, 2: want, 7: want, 8: {}} {
		got, err := s.LastReported(t.Context(), reported.AddDate(0, 0, days))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d days later (-want +got):\n%s", days, diff)
		}
	}
}

func TestTheLargestReportIsRemembered(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	want := mailing.Reported{At: noon, Counts: map[mailing.ID]mailing.Counts{}}
	const many = 1e10
	for n := range mailing.ID(mailing.MaxReported) {
		want.Counts[mailing.MaxID-n] = mailing.Counts{
			Total: 9 * many, Queued: many, Retrying: many, Deferred: many, Sent: many, Failed: many,
			Expired: many, Cancelled: many, Skipped: many, Uncertain: many,
		}
	}
	if _, err := s.ClaimReport(t.Context(), reported, "a", noon, noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.MarkReported(t.Context(), reported, "a", want); err != nil {
		t.Fatal(err)
	}
	got, err := s.LastReported(t.Context(), reported.AddDate(0, 0, 1))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestChangedSinceReturnsLiveMailingsAndFinishedOnesThatChanged(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	long, recently := newMailing(t, s, noon.Add(-90*time.Hour)), newMailing(t, s, noon)
	live := newMailing(t, s, noon.Add(-80*time.Hour))
	change(t, s, long.ID, func(m mailing.Mailing) (mailing.Mailing, error) {
		return m.AsFinished(mailing.Counts{}, noon.Add(-time.Millisecond)), nil
	})
	finish(t, s, recently.ID, mailing.Counts{Total: 3, Sent: 3}) // at noon
	ms, unread, err := s.ChangedSince(t.Context(), noon)
	if err != nil || unread != 0 {
		t.Fatal(unread, err)
	}
	found := map[mailing.ID]mailing.Status{}
	for _, m := range ms {
		found[m.ID] = m.Status
	}
	want := map[mailing.ID]mailing.Status{recently.ID: mailing.StatusCompleted, live.ID: mailing.StatusRunning}
	if diff := cmp.Diff(want, found); diff != "" || len(ms) != 2 {
		t.Errorf("%d (-want +got):\n%s", len(ms), diff)
	}
}

func TestAMailingThatFinishesDuringTheReadingIsFoundOnce(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store()
	m := newMailing(t, s, noon)
	faults := dynamotest.NewFaults(e.Client)
	// The mailing finishes after the live ones were read, and before the finished ones
	// are.
	faults.On(dynamotest.GetItem, 1, dynamotest.Fault{Before: func() { finish(t, s, m.ID, mailing.Counts{Total: 3, Sent: 3}) }})
	ms, _, err := e.StoreOver(faults).ChangedSince(t.Context(), noon)
	if err != nil || len(ms) != 1 || !ms[0].Finished {
		t.Errorf("%v, %v", ms, err)
	}
}

func TestAMailingThatCannotBeReadDoesNotKeepOthersOutOfTheReport(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store()
	m := newMailing(t, s, noon)
	put(t, e, e.Tables.Mailings, map[string]types.AttributeValue{
		"part": &types.AttributeValueMemberS{Value: "0000"}, "id": &types.AttributeValueMemberS{Value: "0000000"},
		"updated_at": &types.AttributeValueMemberN{Value: strconv.FormatInt(noon.UnixMilli(), 10)},
		"start_at":   &types.AttributeValueMemberS{Value: "tomorrow"},
	})
	ms, _, err := s.ChangedSince(t.Context(), noon)
	if err != nil || len(ms) != 1 || ms[0].ID != m.ID {
		t.Errorf("%v, %v", ms, err)
	}
}

func TestTheSearchForChangedMailingsIsBoundedAndReturnsWhereItEnded(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store()
	var ids []mailing.ID
	for range 102 {
		m := newMailing(t, s, noon)
		finish(t, s, m.ID, mailing.Counts{})
		ids = append(ids, m.ID)
	}
	ms, unread, err := e.StoreOver(smallPages{e.Client, 1}).ChangedSince(t.Context(), noon)
	if err != nil || unread != 3 {
		t.Fatalf("unread below %d, %v", unread, err)
	}
	found := make([]mailing.ID, 0, len(ms))
	for _, m := range ms {
		found = append(found, m.ID)
	}
	slices.Sort(found)
	if diff := cmp.Diff(ids[2:], found); diff != "" {
		t.Error(diff)
	}
}

func TestAReportThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	broken := errors.New("broken")
	faults := dynamotest.NewFaults(e.Client)
	faults.Always(dynamotest.GetItem, dynamotest.Fault{Refuse: broken})
	if _, err := e.StoreOver(faults).LastReported(t.Context(), reported); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestTheRecordOfAReportIsKeptAsLongAsReportsLookBack(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	if _, err := e.Store().ClaimReport(t.Context(), reported, "a", noon, noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	out, err := e.Client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &e.Tables.Batches})
	if err != nil || len(out.Items) != 1 {
		t.Fatalf("%d items, %v", len(out.Items), err)
	}
	var it struct {
		TTL int64 `dynamodbav:"ttl"`
	}
	if err := attributevalue.UnmarshalMap(out.Items[0], &it); err != nil {
		t.Fatal(err)
	}
	// Two days are added, because the record is made on the day after the reported one,
	// and read on another day.
	if kept, want := time.Unix(it.TTL, 0).Sub(noon), time.Duration(mailing.ReportMemory+2)*24*time.Hour; kept < want {
		t.Errorf("it is kept for %s, want %s", kept, want)
	}
}

// consistent is a DynamoDB that fails the test at a read that is not strongly
// consistent.
type consistent struct {
	dynamo.API

	t *testing.T
}

func (c consistent) note(what string, asked *bool) {
	if !aws.ToBool(asked) {
		c.t.Errorf("%s is not consistent", what)
	}
}

func (c consistent) GetItem(ctx context.Context, in *dynamodb.GetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	c.note("GetItem", in.ConsistentRead)
	return c.API.GetItem(ctx, in, opts...)
}

func (c consistent) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	c.note("Query", in.ConsistentRead)
	return c.API.Query(ctx, in, opts...)
}

func (c consistent) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	for _, keys := range in.RequestItems {
		c.note("BatchGetItem", keys.ConsistentRead)
	}
	return c.API.BatchGetItem(ctx, in, opts...)
}

// Because these reads are strongly consistent, a message that was sent just before a
// report is in this report, or new in the next one. And a report finds the counts of
// the report before.
func TestAReportReadsConsistently(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	newMailing(t, e.Store(), noon)
	s := e.StoreOver(consistent{e.Client, t})
	if _, err := s.LastReported(t.Context(), reported); err != nil {
		t.Fatal(err)
	}
	ms, _, err := s.ChangedSince(t.Context(), noon)
	if err != nil || len(ms) != 1 {
		t.Fatal(ms, err)
	}
	if _, err := s.Progress(t.Context(), ms); err != nil {
		t.Fatal(err)
	}
}
