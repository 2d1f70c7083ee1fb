package mailing_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

func TestOnlyMailingsThatMaySendCanBeRetried(t *testing.T) {
	failed := func(m *mailing.Mailing) {
		m.Status, m.Finished, m.Counts = mailing.StatusCompleted, true, mailing.Counts{Total: 3, Sent: 2, Failed: 1}
	}
	tests := []struct {
		name    string
		mailing mailing.Mailing
		now     time.Time
		want    mailing.Kind // of its error; KindInternal if there is none
		status  mailing.Status
	}{
		{"running", running(), noon, mailing.KindInternal, mailing.StatusRunning},
		{"paused", running(status(mailing.StatusPaused)), noon, mailing.KindInternal, mailing.StatusPaused},
		{"completed with failures: reopened", running(failed), noon, mailing.KindInternal, mailing.StatusRunning},
		{"completed without failures", running(status(mailing.StatusCompleted)), noon, mailing.KindInternal, mailing.StatusCompleted},
		{"at its end", running(failed), end, mailing.KindConflict, ""},
		{"1 ns before its end", running(failed), end.Add(-1), mailing.KindInternal, mailing.StatusRunning},
		{"scheduled", running(status(mailing.StatusScheduled)), noon, mailing.KindConflict, ""},
		{"cancelled", running(status(mailing.StatusCancelled)), noon, mailing.KindConflict, ""},
		{"deleted", running(deleted), noon, mailing.KindNotFound, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.mailing.Retried(true, false, test.now)
			if err != nil || test.status == "" {
				if mailing.KindOf(err) != test.want || err == nil {
					t.Errorf("error %v", err)
				}
				return
			}
			if got.Status != test.status || (got.Finished && test.mailing.Counts.Failed > 0) {
				t.Errorf("it is %s, finished %t", got.Status, got.Finished)
			}
			if got.Version != test.mailing.Version && !got.RetriedAt.Equal(test.now.Truncate(time.Millisecond)) {
				t.Errorf("retried at %s", got.RetriedAt)
			}
		})
	}
}

func TestARequeuedBatchHasFreshAttemptsAndKeepsItsUncertainOnes(t *testing.T) {
	recipients := []mailing.Recipient{
		{Client: 16, Status: mailing.Uncertain, Attempts: 10, Uncertain: 2, At: noon.Add(-time.Hour), Error: mailing.PoisonCode},
		{Client: 32, Status: mailing.Failed, Attempts: 1, At: noon.Add(time.Minute), Error: "http_400"},
		{Client: 48, Status: mailing.Sent, Attempts: 1, At: noon},
	}
	b := mailing.Batch{Recipients: recipients, Round: 4}
	older := func(rec mailing.Recipient) bool { return rec.At.Before(noon) }
	r, ok := b.Requeued(older, noon)
	if !ok || !r.Batch.DueAt.Equal(noon) || r.Batch.Round != 0 {
		t.Errorf("requeued %t, %+v", ok, r.Batch)
	}
	want := []mailing.Recipient{
		{Client: 16, Status: mailing.Queued, Uncertain: 2, At: noon, Error: mailing.PoisonCode}, recipients[1], recipients[2],
	}
	if diff := cmp.Diff(want, r.Batch.Recipients); diff != "" {
		t.Errorf("recipients (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(mailing.Counts{Queued: 1, Uncertain: -1}, r.Change); diff != "" {
		t.Errorf("change (-want +got):\n%s", diff)
	}
	if _, again := r.Batch.Requeued(older, noon); again {
		t.Error("requeued failures are requeued again")
	}
}

func TestAMailingIsDoneWhenNoSliceHasAnythingLeft(t *testing.T) {
	all := func(state mailing.SliceState) *mailing.SliceStates {
		var states mailing.SliceStates
		for i := range states {
			states[i] = mailing.SliceState{Done: true, Counts: mailing.Counts{Total: 1, Sent: 1}}
		}
		states[7] = state
		return &states
	}
	retried := func(m *mailing.Mailing) { m.RetriedAt = noon.Add(-time.Minute) }
	done := mailing.SliceState{Done: true}
	tests := []struct {
		name    string
		mailing mailing.Mailing
		state   mailing.SliceState
		now     time.Time
		want    bool
	}{
		{"all done", running(), done, noon, true},
		{"a slice is not expanded", running(), mailing.SliceState{}, noon, false},
		{"something is pending", running(), mailing.SliceState{Done: true, Counts: mailing.Counts{Total: 1, Deferred: 1}}, noon, false},
		{"failures wait to be queued again", running(retried), done, noon, false},
		{"failures wait, and the end has come", running(retried), done, end, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			states := all(test.state)
			if test.mailing.RetriedAt.Equal(noon.Add(-time.Minute)) {
				for i := range states {
					if i != 7 {
						states[i].RetriedAt = noon.Add(-time.Minute)
					}
				}
			}
			if _, got := test.mailing.Done(states, test.now); got != test.want {
				t.Errorf("done is %t", got)
			}
		})
	}
}

func TestATestMessageIgnoresTheStatusTimesAndWindowOfItsMailing(t *testing.T) {
	closed := window(t, "03:00", "04:00")
	m := running(closed, status(mailing.StatusPaused)).ForTest(noon)
	to := &mailing.Client{Phone: "79001234567"}
	rec := mailing.Recipient{Client: 1, Status: mailing.Queued}
	if d := mailing.Decide(m, to, rec, noon); d.Action != mailing.Send {
		t.Errorf("a test of a paused mailing outside its window: %+v", d)
	}
	if d := mailing.Decide(m, to, rec, noon.Add(mailing.TestTime)); d.Action != mailing.Finish || d.Status != mailing.Expired {
		t.Errorf("after its time: %+v", d)
	}
	rec.Uncertain, rec.Status = 1, mailing.Retrying
	if d := mailing.Decide(m, to, rec, noon); d.Action != mailing.Finish || d.Status != mailing.Uncertain {
		t.Errorf("after an ambiguous attempt: %+v", d)
	}
	if d := mailing.Decide(running(deleted).ForTest(noon), to, mailing.Recipient{Status: mailing.Queued}, noon); d.Status != mailing.Cancelled {
		t.Errorf("a test of a deleted mailing: %+v", d)
	}
}
