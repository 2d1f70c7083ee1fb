package mailing_test

import (
	"testing"
	"time"

	"postrider/internal/mailing"
)

func TestProbesOfAnOutageAreFurtherAndFurtherApart(t *testing.T) {
	o := mailing.Outage{}.Begun(noon)
	now := noon
	for n, minutes := range []int{1, 2, 4, 8, 15, 15} {
		due := now.Add(time.Duration(minutes) * time.Minute)
		if o.ProbeDue(due.Add(-1)) || !o.ProbeDue(due) {
			t.Errorf("probe %d is due at %s, want %s", n+1, o.ProbeAt, due)
		}
		now = due
		o = o.Probed(now)
	}
	if o.Probes != 6 || !o.Since.Equal(noon) || o.Version != 7 {
		t.Errorf("%+v", o)
	}
	if again := o.Begun(now); again != o {
		t.Errorf("an outage that is known begins again: %+v", again)
	}
	over := o.Over(now)
	if over.Down() || over.ProbeDue(now) || !over.Ended.Equal(now) || over.Version != 8 {
		t.Errorf("after its end: %+v", over)
	}
}

func TestAProbeIsDueAfterTheClockWasSetBack(t *testing.T) {
	o := mailing.Outage{}.Begun(noon).Probed(noon)
	if !o.ProbeDue(noon.Add(-time.Hour)) {
		t.Error("the probe is not due, although the clock was set back by an hour")
	}
}

func TestAMailingIsPausedForAFullWindowOfRejections(t *testing.T) {
	resumed := func(m *mailing.Mailing) { m.ResumedAt = noon }
	for _, test := range []struct {
		name    string
		mailing mailing.Mailing
		found   mailing.Outcomes
		paused  bool
	}{
		{"half of 200", running(), mailing.Outcomes{Sent: 100, Rejected: 100}, true},
		{"less than half", running(), mailing.Outcomes{Sent: 101, Rejected: 100}, false},
		{"all of less than 200", running(), mailing.Outcomes{Rejected: 199}, false},
		{"all of 500, counted before its resume", running(resumed), mailing.Outcomes{Rejected: 500}, false},
		{"all of 500, and it is cancelled", running(status(mailing.StatusCancelled)), mailing.Outcomes{Rejected: 500}, false},
	} {
		got := test.mailing.PausedForRejections(test.found, time.Time{}, noon)
		if paused := got.Status == mailing.StatusPaused; paused != test.paused {
			t.Errorf("%s: paused %t", test.name, paused)
		}
		if test.paused && (got.PausedBy != mailing.ByRejections || got.RejectedShare != test.found.Share() || got.Version != test.mailing.Version+1) {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
	m := running().PausedForRejections(mailing.Outcomes{Rejected: 200}, time.Time{}, noon)
	m, err := m.Resumed(noon.Add(time.Minute))
	if err != nil || m.PausedBy != "" || m.RejectedShare != 0 || !m.ResumedAt.Equal(noon.Add(time.Minute)) {
		t.Errorf("resumed: %+v, %v", m, err)
	}
}

func TestUncertainMessagesAreRetriedOnlyIfRequestedAndAllowed(t *testing.T) {
	uncertain := mailing.Recipient{Client: 33, Status: mailing.Uncertain, Attempts: 10, Uncertain: 4, At: noon}
	failed := mailing.Recipient{Client: 33, Status: mailing.Failed, At: noon}
	for _, test := range []struct {
		failed, uncertain           bool
		wantsFailed, wantsUncertain bool
	}{{true, false, true, false}, {false, true, false, true}, {true, true, true, true}} {
		m, err := running().Retried(test.failed, test.uncertain, noon)
		if err != nil || m.Wants(failed) != test.wantsFailed || m.Wants(uncertain) != test.wantsUncertain {
			t.Errorf("%+v: failed %t, uncertain %t, %v", test, m.Wants(failed), m.Wants(uncertain), err)
		}
		later := uncertain
		later.At = noon.Add(time.Millisecond)
		if m.Wants(later) || m.Wants(mailing.Recipient{Client: 33, Status: mailing.Sent, At: noon}) {
			t.Errorf("%+v: a message that became uncertain later, or was sent, is retried", test)
		}
	}
	once, _ := running().Retried(true, false, noon)
	if again, err := once.Retried(true, false, noon.Add(-time.Hour)); err != nil || !again.RetriedAt.After(once.RetriedAt) {
		t.Errorf("a retry by a clock that was set back is at %s, the one before at %s, %v", again.RetriedAt, once.RetriedAt, err)
	}
	if _, err := running(stop).Retried(true, true, noon); mailing.KindOf(err) != mailing.KindConflict {
		t.Errorf("of a mailing with on_uncertain stop: %v", err)
	}
}
