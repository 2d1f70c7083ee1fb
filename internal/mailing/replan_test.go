package mailing_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

func TestDeferredMessagesToEditedClientsAreDecidedAgain(t *testing.T) {
	opening := noon.Add(4 * time.Hour)
	recipient := func(client mailing.ClientID, s mailing.MessageStatus, notBefore time.Time) mailing.Recipient {
		return mailing.Recipient{Client: client, Status: s, At: start, NotBefore: notBefore}
	}
	waiting := func(recipients ...mailing.Recipient) mailing.Batch {
		return mailing.Batch{Recipients: recipients, CreatedAt: start, NotBefore: opening, DueAt: opening, Generation: 3, Round: 2, Claims: 1}
	}
	freed := func(recipients ...mailing.Recipient) mailing.Batch {
		b := waiting(recipients...)
		b.NotBefore, b.DueAt = time.Time{}, noon
		return b
	}
	tests := []struct {
		name   string
		batch  mailing.Batch
		edited []mailing.ClientID
		want   *mailing.Batch // nil if nothing has to be done
	}{
		{
			"one of two", waiting(recipient(16, mailing.Deferred, opening), recipient(32, mailing.Deferred, opening)),
			[]mailing.ClientID{32},
			new(freed(recipient(16, mailing.Deferred, opening), recipient(32, mailing.Deferred, time.Time{}))),
		},
		{
			"both, and a client of another batch", waiting(recipient(16, mailing.Deferred, opening), recipient(32, mailing.Deferred, opening)),
			[]mailing.ClientID{16, 32, 48},
			new(freed(recipient(16, mailing.Deferred, time.Time{}), recipient(32, mailing.Deferred, time.Time{}))),
		},
		{
			"one without an opening of its own", waiting(recipient(16, mailing.Deferred, time.Time{})),
			[]mailing.ClientID{16},
			new(freed(recipient(16, mailing.Deferred, time.Time{}))),
		},
		{
			"beside one that waits for its retry", waiting(recipient(16, mailing.Deferred, opening), recipient(32, mailing.Retrying, opening)),
			[]mailing.ClientID{16, 32},
			new(freed(recipient(16, mailing.Deferred, time.Time{}), recipient(32, mailing.Retrying, opening))),
		},
		{"no client of the batch", waiting(recipient(16, mailing.Deferred, opening)), []mailing.ClientID{32}, nil},
		{"a retry is not planned by a window", waiting(recipient(16, mailing.Retrying, opening)), []mailing.ClientID{16}, nil},
		{"queued: decided in any case", waiting(recipient(16, mailing.Queued, time.Time{})), []mailing.ClientID{16}, nil},
		{"sent", waiting(recipient(16, mailing.Sent, time.Time{}), recipient(32, mailing.Deferred, opening)), []mailing.ClientID{16}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := slices.Clone(test.batch.Recipients)
			got, ok := test.batch.Replanned(func(id mailing.ClientID) bool { return slices.Contains(test.edited, id) }, noon)
			if ok != (test.want != nil) {
				t.Fatalf("planned again: %t", ok)
			}
			want := test.batch
			if ok {
				want = *test.want
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("batch (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, test.batch.Recipients); diff != "" {
				t.Errorf("the batch that was read has changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyMailingsWithAWindowPlanAgainForAnEditedZone(t *testing.T) {
	evening := window(t, "20:00", "21:00")
	finished := func(m *mailing.Mailing) { m.Finished = true }
	tests := []struct {
		name    string
		mailing mailing.Mailing
		now     time.Time
		want    bool
	}{
		{"running, with a window", running(evening), noon, true},
		{"paused, with a window", running(evening, status(mailing.StatusPaused)), noon, true},
		{"without a window", running(), noon, false},
		{"scheduled", running(evening, status(mailing.StatusScheduled)), noon, false},
		{"completed", running(evening, status(mailing.StatusCompleted), finished), noon, false},
		{"cancelled", running(evening, status(mailing.StatusCancelled)), noon, false},
		{"deleted", running(evening, deleted), noon, false},
		{"at its end", running(evening), end, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.mailing.Replans(test.now); got != test.want {
				t.Errorf("it plans again: %t", got)
			}
		})
	}
}

func TestAZoneEditIsKeptWhileAPageByTheOldZoneMayStillBeWritten(t *testing.T) {
	edit := mailing.ZoneEdit{Client: 160, Version: 2, At: noon}
	tests := []struct {
		name  string
		state mailing.SliceState
		now   time.Time
		want  bool
	}{
		{"before its page", mailing.SliceState{Cursor: 144}, noon, true},
		{"before its page, the clock was set back", mailing.SliceState{Cursor: 144}, noon.Add(-time.Hour), true},
		{"before its page, 1 ns before MaxPageTime has passed", mailing.SliceState{Cursor: 144}, noon.Add(mailing.MaxPageTime - 1), true},
		{"before its page, which can only have read the new zone", mailing.SliceState{Cursor: 144}, noon.Add(mailing.MaxPageTime), false},
		{"its page is written", mailing.SliceState{Cursor: 160}, noon, false},
		{"all pages are written", mailing.SliceState{Cursor: 144, Done: true}, noon, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := edit.Plannable(test.state, test.now); got != test.want {
				t.Errorf("plannable: %t", got)
			}
		})
	}
}

func TestAZoneEditDoesNotConcernMailingsThatWereCreatedLater(t *testing.T) {
	edit := mailing.ZoneEdit{Client: 160, Version: 2, At: noon}
	for after, want := range map[time.Duration]bool{-time.Hour: true, 0: true, mailing.MaxPageTime: true, mailing.MaxPageTime + 1: false} {
		m := running(func(m *mailing.Mailing) { m.CreatedAt = noon.Add(after) })
		if got := edit.Concerns(m); got != want {
			t.Errorf("created %s after the edit: %t", after, got)
		}
	}
}
