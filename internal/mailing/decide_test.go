package mailing_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

var (
	start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	end   = time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)
	noon  = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
)

func running(change ...func(*mailing.Mailing)) mailing.Mailing {
	m := mailing.Mailing{
		ID: 7, Status: mailing.StatusRunning, Version: 2,
		Draft: mailing.Draft{Text: "hello", StartAt: start, EndAt: end, OnUncertain: mailing.Resend},
	}
	for _, c := range change {
		c(&m)
	}
	return m
}

func status(s mailing.Status) func(*mailing.Mailing) {
	return func(m *mailing.Mailing) { m.Status = s }
}

func window(t *testing.T, from, to string) func(*mailing.Mailing) {
	t.Helper()
	w := mailing.Window{From: clock(t, from), To: clock(t, to)}
	return func(m *mailing.Mailing) { m.Window = &w }
}

func stop(m *mailing.Mailing) { m.OnUncertain = mailing.Stop }

func deleted(m *mailing.Mailing) { m.Deleted = true }

func TestADecisionFollowsTheMailingTheClientAndTheMessage(t *testing.T) {
	moscow := &mailing.Client{ID: 33, Phone: "79001234567", Timezone: "Europe/Moscow"}
	queued := mailing.Recipient{Client: 33, Status: mailing.Queued}
	ambiguous := mailing.Recipient{Client: 33, Status: mailing.Retrying, Attempts: 1, Uncertain: 1}
	spent := mailing.Recipient{Client: 33, Status: mailing.Retrying, Attempts: mailing.MaxAttempts}
	send := mailing.Decision{Action: mailing.Send, Until: end}
	backedOff := mailing.Recipient{Client: 33, Status: mailing.Retrying, Attempts: 1, NotBefore: noon.Add(time.Minute)}
	later := mailing.Decision{Action: mailing.Later, Until: noon.Add(time.Minute)}
	hold := mailing.Decision{Action: mailing.Hold}
	until := func(at time.Time) mailing.Decision { return mailing.Decision{Action: mailing.Defer, Until: at} }
	ends := func(s mailing.MessageStatus) mailing.Decision {
		return mailing.Decision{Action: mailing.Finish, Status: s}
	}
	tests := []struct {
		name      string
		mailing   mailing.Mailing
		client    *mailing.Client
		recipient mailing.Recipient
		now       time.Time
		want      mailing.Decision
	}{
		{"it runs", running(), moscow, queued, noon, send},
		{"1 ns before its start", running(), moscow, queued, start.Add(-1), until(start)},
		{"at its start", running(), moscow, queued, start, send},
		{"1 ns before its end", running(), moscow, queued, end.Add(-1), send},
		{"at its end", running(), moscow, queued, end, ends(mailing.Expired)},
		{"1 ns after its end", running(), moscow, queued, end.Add(1), ends(mailing.Expired)},
		{"at its end, after an ambiguous attempt", running(), moscow, ambiguous, end, ends(mailing.Uncertain)},

		{"paused", running(status(mailing.StatusPaused)), moscow, queued, noon, hold},
		{"paused, its end passed", running(status(mailing.StatusPaused)), moscow, queued, end, ends(mailing.Expired)},
		{"cancelled", running(status(mailing.StatusCancelled)), moscow, queued, noon, ends(mailing.Cancelled)},
		{"cancelled, after an ambiguous attempt", running(status(mailing.StatusCancelled)), moscow, ambiguous, noon, ends(mailing.Uncertain)},
		{"cancelled, its end passed", running(status(mailing.StatusCancelled)), moscow, queued, end, ends(mailing.Cancelled)},
		{"deleted", running(deleted), moscow, queued, noon, ends(mailing.Cancelled)},

		{"the client is deleted", running(), nil, queued, noon, ends(mailing.Skipped)},
		{"the client is deleted, after an ambiguous attempt", running(), nil, ambiguous, noon, ends(mailing.Uncertain)},
		{"paused, the client is deleted", running(status(mailing.StatusPaused)), nil, queued, noon, ends(mailing.Skipped)},

		{"an ambiguous attempt is repeated", running(), moscow, ambiguous, noon, send},
		{"an ambiguous attempt is not repeated", running(stop), moscow, ambiguous, noon, ends(mailing.Uncertain)},
		{"all attempts are used", running(), moscow, spent, noon, ends(mailing.Failed)},

		{"before its retry", running(), moscow, backedOff, noon, later},
		{"at its retry", running(), moscow, backedOff, noon.Add(time.Minute), send},
		{"before its retry, at the end of the mailing", running(), moscow, backedOff, end, ends(mailing.Expired)},

		{"deferred until later, and the window is open", running(window(t, "09:00", "21:00")), moscow, mailing.Recipient{Client: 33, Status: mailing.Deferred, NotBefore: noon.Add(time.Minute)}, noon, later},
		{"the window is open", running(window(t, "09:00", "21:00")), moscow, queued, noon, send},
		{"the window closes before the end", running(window(t, "09:00", "16:00")), moscow, queued, noon, mailing.Decision{Action: mailing.Send, Until: instant(t, "2026-03-02T16:00:00+03:00")}},
		{"1 ns before its window closes", running(window(t, "09:00", "15:00")), moscow, queued, noon.Add(-1), mailing.Decision{Action: mailing.Send, Until: noon}},
		{"as its window closes", running(window(t, "09:00", "15:00")), moscow, queued, noon, until(end)},
		{"as its window opens", running(window(t, "15:00", "21:00")), moscow, queued, noon, send},
		{"1 ns before its window opens", running(window(t, "15:00", "21:00")), moscow, queued, noon.Add(-1), until(noon)},
		{"the window opens later", running(window(t, "17:00", "21:00")), moscow, queued, noon, until(instant(t, "2026-03-02T17:00:00+03:00"))},
		{"the window opens after the end", running(window(t, "05:00", "06:00")), moscow, queued, noon, until(end)},
		{"the window is closed, the mailing paused", running(window(t, "17:00", "21:00"), status(mailing.StatusPaused)), moscow, queued, noon, hold},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := mailing.Decide(test.mailing, test.client, test.recipient, test.now)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAHandOverChangesItsMessageByTheOutcome(t *testing.T) {
	outcome := func(k mailing.OutcomeKind) mailing.Outcome { return mailing.Outcome{Kind: k, Code: "code"} }
	queued := mailing.Recipient{Client: 33, Status: mailing.Queued}
	ninth := mailing.Recipient{Client: 33, Status: mailing.Retrying, Attempts: 9}
	once := mailing.Recipient{Client: 33, Status: mailing.Retrying, Attempts: 1, Uncertain: 1}
	recipient := func(s mailing.MessageStatus, attempts, uncertain int, code string) mailing.Recipient {
		return mailing.Recipient{Client: 33, Status: s, Attempts: attempts, Uncertain: uncertain, At: noon, Error: code}
	}
	ninthDoubtful := mailing.Recipient{Client: 33, Status: mailing.Retrying, Attempts: 9, Uncertain: 1}
	tests := []struct {
		name    string
		mailing mailing.Mailing
		before  mailing.Recipient
		outcome mailing.Outcome
		works   bool
		want    mailing.Recipient
	}{
		{"sent", running(), queued, outcome(mailing.OutcomeSent), true, recipient(mailing.Sent, 1, 0, "")},
		{"sent after an ambiguous attempt", running(), once, outcome(mailing.OutcomeSent), true, recipient(mailing.Sent, 2, 1, "")},
		{"rejected after an ambiguous attempt", running(), once, outcome(mailing.OutcomeRejected), true, recipient(mailing.Uncertain, 2, 1, "code")},
		{"the last retry after an ambiguous attempt", running(), ninthDoubtful, outcome(mailing.OutcomeRetry), true, recipient(mailing.Uncertain, 10, 1, "code")},
		{"retry after an ambiguous attempt, and the mailing is cancelled meanwhile", running(status(mailing.StatusCancelled)), once, outcome(mailing.OutcomeRetry), true, recipient(mailing.Uncertain, 2, 1, "code")},
		{"rejected", running(), queued, outcome(mailing.OutcomeRejected), true, recipient(mailing.Failed, 1, 0, "code")},
		{"retry uses an attempt if the provider works", running(), queued, outcome(mailing.OutcomeRetry), true, recipient(mailing.Retrying, 1, 0, "code")},
		{"retry uses no attempt if the provider does not work", running(), queued, outcome(mailing.OutcomeRetry), false, recipient(mailing.Retrying, 0, 0, "code")},
		{"the last retry", running(), ninth, outcome(mailing.OutcomeRetry), true, recipient(mailing.Failed, 10, 0, "code")},
		{"the tenth retry uses no attempt if the provider does not work", running(), ninth, outcome(mailing.OutcomeRetry), false, recipient(mailing.Retrying, 9, 0, "code")},
		{"ambiguous uses an attempt even if the provider does not work", running(), queued, outcome(mailing.OutcomeAmbiguous), false, recipient(mailing.Retrying, 1, 1, "code")},
		{"ambiguous, and the mailing says stop", running(stop), queued, outcome(mailing.OutcomeAmbiguous), true, recipient(mailing.Uncertain, 1, 1, "code")},
		{"the last ambiguous one", running(), ninth, outcome(mailing.OutcomeAmbiguous), true, recipient(mailing.Uncertain, 10, 1, "code")},
		{"ambiguous, and the mailing is cancelled meanwhile", running(status(mailing.StatusCancelled)), queued, outcome(mailing.OutcomeAmbiguous), true, recipient(mailing.Uncertain, 1, 1, "code")},
		{"retry, and the mailing is cancelled meanwhile", running(status(mailing.StatusCancelled)), queued, outcome(mailing.OutcomeRetry), true, recipient(mailing.Cancelled, 1, 0, "code")},
		{"throttled uses no attempt", running(), queued, outcome(mailing.OutcomeThrottled), true, recipient(mailing.Retrying, 0, 0, "code")},
		{"throttled keeps an uncertain attempt", running(), once, outcome(mailing.OutcomeThrottled), true, recipient(mailing.Retrying, 1, 1, "code")},
		{"misconfigured uses no attempt", running(), queued, outcome(mailing.OutcomeMisconfigured), true, recipient(mailing.Retrying, 0, 0, "code")},
		{"not tried changes nothing", running(), queued, outcome(mailing.OutcomeNotTried), true, queued},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := test.before.After(test.outcome, test.mailing, test.works, noon)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}
