package dynamo_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

func overall(t *testing.T, s *dynamo.Store, status mailing.Status) mailing.Overall {
	t.Helper()
	got, err := s.Overall(t.Context(), status)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// fiveMailings stores a completed mailing with 5 sent messages, a cancelled one with 3
// cancelled, a running one with 32 queued, and two deleted ones, one finished and one
// live. It returns the running one.
func fiveMailings(t *testing.T, s *dynamo.Store) mailing.Mailing {
	t.Helper()
	finish(t, s, newMailing(t, s, noon).ID, counts(mailing.Sent, 5))
	cancelled := newMailing(t, s, noon)
	change(t, s, cancelled.ID, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Cancelled(noon) })
	finish(t, s, cancelled.ID, counts(mailing.Cancelled, 3))
	deleted := newMailing(t, s, noon)
	finish(t, s, deleted.ID, counts(mailing.Sent, 100))
	change(t, s, deleted.ID, func(m mailing.Mailing) (mailing.Mailing, error) { return m.AsDeleted(noon), nil })
	deletedLive := newMailing(t, s, noon)
	change(t, s, deletedLive.ID, func(m mailing.Mailing) (mailing.Mailing, error) { return m.AsDeleted(noon), nil })

	running := newMailing(t, s, noon)
	to := make([]mailing.ClientID, 32)
	for i := range to {
		to[i] = mailing.ClientID(i + 1)
	}
	expand(t, s, running, noon, to, 10, 10, func(mailing.ClientID) mailing.MessageStatus { return mailing.Queued })
	return running
}

func counts(s mailing.MessageStatus, n int64) mailing.Counts {
	var c mailing.Counts
	c.Count(s, n)
	return c
}

func byStatus(completed, cancelled, running int64) map[mailing.Status]int64 {
	return map[mailing.Status]int64{
		mailing.StatusScheduled: 0, mailing.StatusRunning: running, mailing.StatusPaused: 0,
		mailing.StatusCompleted: completed, mailing.StatusCancelled: cancelled,
	}
}

func TestTheOverallSumCoversFinishedAndLiveMailings(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	fiveMailings(t, s)
	sum := counts(mailing.Sent, 5).Plus(counts(mailing.Cancelled, 3)).Plus(counts(mailing.Queued, 32))
	if diff := cmp.Diff(mailing.Overall{Totals: sum, Mailings: byStatus(1, 1, 1)}, overall(t, s, "")); diff != "" {
		t.Error(diff)
	}
	for status, want := range map[mailing.Status]mailing.Overall{
		mailing.StatusCompleted: {Totals: counts(mailing.Sent, 5), Mailings: map[mailing.Status]int64{mailing.StatusCompleted: 1}},
		mailing.StatusCancelled: {Totals: counts(mailing.Cancelled, 3), Mailings: map[mailing.Status]int64{mailing.StatusCancelled: 1}},
		mailing.StatusRunning:   {Totals: counts(mailing.Queued, 32), Mailings: map[mailing.Status]int64{mailing.StatusRunning: 1}},
		mailing.StatusPaused:    {Mailings: map[mailing.Status]int64{mailing.StatusPaused: 0}},
	} {
		if diff := cmp.Diff(want, overall(t, s, status)); diff != "" {
			t.Errorf("%s: %s", status, diff)
		}
	}
}

func TestAnEmptyStoreSumsUpToNothing(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(mailing.Overall{Mailings: byStatus(0, 0, 0)}, overall(t, dynamotest.Store(t), "")); diff != "" {
		t.Error(diff)
	}
}

func TestAMailingThatFinishesDuringASumIsCountedOnce(t *testing.T) {
	t.Parallel()
	for _, at := range []struct {
		op dynamotest.Op
		n  int
	}{
		{dynamotest.BatchGetItem, 1}, // before the totals are read
		{dynamotest.Query, 1},        // between the totals and the rows of live mailings
		{dynamotest.BatchGetItem, 2}, // between the rows and the mailings
	} {
		e := dynamotest.Start(t)
		s := e.Store()
		running := fiveMailings(t, s)
		faults := dynamotest.NewFaults(e.Client)
		faults.On(at.op, at.n, dynamotest.Fault{Before: func() { finish(t, s, running.ID, counts(mailing.Sent, 32)) }})
		want := mailing.Overall{Totals: counts(mailing.Sent, 37).Plus(counts(mailing.Cancelled, 3)), Mailings: byStatus(2, 1, 0)}
		if diff := cmp.Diff(want, overall(t, e.StoreOver(faults), "")); diff != "" {
			t.Errorf("finished before %s %d: %s", at.op, at.n, diff)
		}
	}
}
