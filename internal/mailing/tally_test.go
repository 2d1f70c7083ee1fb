package mailing_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

func TestAMailingIsDueSinceItsStartOrItsCreation(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	recipients := func(s mailing.MessageStatus) []mailing.Recipient { return []mailing.Recipient{{Status: s}} }
	for name, test := range map[string]struct{ made, start, want time.Time }{
		"created before its start": {at, at.Add(time.Hour), at.Add(time.Hour)},
		"created after its start":  {at, at.Add(-time.Hour), at},
		"created at its start":     {at, at, at},
	} {
		m := mailing.Mailing{CreatedAt: test.made, Draft: mailing.Draft{StartAt: test.start}}
		batches := []mailing.Batch{
			{Recipients: recipients(mailing.Expired)},
			{Recipients: recipients(mailing.Deferred), NotBefore: at.Add(time.Hour)},
			{Recipients: recipients(mailing.Queued)},
			{Recipients: recipients(mailing.Queued)},
		}
		m.MarkStart(batches)
		var got []time.Time
		for _, b := range batches {
			got = append(got, b.StartedAt)
		}
		if diff := cmp.Diff([]time.Time{{}, {}, test.want, {}}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestATallyKeepsTheShortestLagAndCountsOnlyHandOversThatBegan(t *testing.T) {
	t.Parallel()
	var got mailing.Tally
	for _, lag := range []time.Duration{2 * time.Second, time.Second, 3 * time.Second} {
		got.Lag(7, lag)
	}
	got.Lag(8, -time.Second) // the sender's clock is slow
	got.Attempt(0, time.Second)
	got.Attempt(mailing.OutcomeNotTried, time.Second)
	got.Attempt(mailing.OutcomeRetry, time.Second)
	want := mailing.Tally{
		Attempts: map[mailing.OutcomeKind]int64{mailing.OutcomeRetry: 1}, Latencies: []time.Duration{time.Second},
		Lags: map[mailing.ID]time.Duration{7: time.Second, 8: 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAMailingThatHasOnlyStartedIsUntouched(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	made, err := mailing.New(mailing.Draft{Text: "hello", StartAt: at.Add(time.Hour), EndAt: at.Add(9 * time.Hour)}, at)
	if err != nil {
		t.Fatal(err)
	}
	must := func(m mailing.Mailing, err error) mailing.Mailing {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	start := func(m mailing.Mailing) mailing.Mailing {
		m, _ = m.Started(at.Add(time.Hour))
		return m
	}
	earlier := made.Draft
	earlier.StartAt = at.Add(-time.Hour)
	edited, paused := must(made.Edit(earlier, at)), must(start(made).Paused(at.Add(time.Hour)))
	for name, test := range map[string]struct {
		m    mailing.Mailing
		want bool
	}{
		"made": {made, true}, "started": {start(made), true},
		"edited": {edited, false}, "edited and started": {start(edited), false},
		"paused": {paused, false}, "resumed": {must(paused.Resumed(at.Add(2 * time.Hour))), false},
	} {
		if got := test.m.Untouched(); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
