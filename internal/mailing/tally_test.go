package mailing_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

func TestAMailingIsDueSinceItsStartOrItsMaking(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	member := func(s mailing.MessageStatus) []mailing.Member { return []mailing.Member{{Status: s}} }
	for name, test := range map[string]struct{ made, start, want time.Time }{
		"made before":  {at, at.Add(time.Hour), at.Add(time.Hour)},
		"made after":   {at, at.Add(-time.Hour), at},
		"made at once": {at, at, at},
	} {
		m := mailing.Mailing{CreatedAt: test.made, Draft: mailing.Draft{StartAt: test.start}}
		batches := []mailing.Batch{
			{Members: member(mailing.Expired)},
			{Members: member(mailing.Deferred), NotBefore: at.Add(time.Hour)},
			{Members: member(mailing.Queued)},
			{Members: member(mailing.Queued)},
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

func TestATallyKeepsTheShortestLagAndNoHandOverThatWasNone(t *testing.T) {
	t.Parallel()
	var got mailing.Tally
	for _, lag := range []time.Duration{2 * time.Second, time.Second, 3 * time.Second} {
		got.Lag(7, lag)
	}
	got.Lag(8, -time.Second) // a clock that is behind
	got.Attempt(0, time.Second)
	got.Attempt(mailing.OutcomeNotTried, time.Second)
	got.Attempt(mailing.OutcomeRetry, time.Second)
	want := mailing.Tally{
		Attempts: map[mailing.OutcomeKind]int64{mailing.OutcomeRetry: 1}, Latencies: []time.Duration{time.Second},
		Lags: map[mailing.MailingID]time.Duration{7: time.Second, 8: 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
