package mailing_test

import (
	"testing"
	"time"

	"postrider/internal/mailing"
)

// movedTo returns m after an edit of its end at an instant.
func movedTo(t *testing.T, m mailing.Mailing, end, now time.Time) mailing.Mailing {
	t.Helper()
	d := m.Draft
	d.EndAt = end
	edited, err := m.Edit(d, now)
	if err != nil {
		t.Fatal(err)
	}
	return edited
}

func TestALaterEndOfARunningOrPausedMailingStoresTheInstantOfTheEdit(t *testing.T) {
	before := noon.Add(-time.Minute)
	was := func(at time.Time) func(*mailing.Mailing) { return func(m *mailing.Mailing) { m.ExtendedAt = at } }
	tests := []struct {
		name    string
		mailing mailing.Mailing
		end     time.Time
		want    time.Time
	}{
		{"running, later", running(), end.Add(time.Hour), noon},
		{"paused, later", running(status(mailing.StatusPaused)), end.Add(time.Hour), noon},
		{"scheduled, later", running(status(mailing.StatusScheduled)), end.Add(time.Hour), time.Time{}},
		{"running, earlier", running(), end.Add(-time.Hour), time.Time{}},
		{"running, unchanged", running(), end, time.Time{}},
		{"earlier, after a later one", running(was(before)), end.Add(-time.Hour), before},
		{"later again", running(was(before)), end.Add(time.Hour), noon},
		{"later again in the same millisecond", running(was(noon)), end.Add(time.Hour), noon.Add(time.Millisecond)},
		{"later again after the clock was set back", running(was(noon.Add(time.Hour))), end.Add(time.Hour), noon.Add(time.Hour + time.Millisecond)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := movedTo(t, test.mailing, test.end, noon).ExtendedAt; !got.Equal(test.want) {
				t.Errorf("extended at %s, want %s", got, test.want)
			}
		})
	}
}

func TestASliceIsExtendedWhenNoBatchCanBeSettledByTheOldEnd(t *testing.T) {
	settled := mailing.Counts{Total: 1, Sent: 1}
	soon := noon.Add(mailing.ExtendAfter)
	extended := running(func(m *mailing.Mailing) { m.ExtendedAt = noon })
	tests := []struct {
		name    string
		mailing mailing.Mailing
		state   mailing.SliceState
		now     time.Time
		some    bool // does any settled batch expire by an earlier end?
		ready   bool // can it get its new time to live now?
	}{
		{"never extended", running(), mailing.SliceState{Counts: settled}, soon, false, false},
		{"nothing is settled", extended, mailing.SliceState{Counts: mailing.Counts{Total: 1, Queued: 1}}, soon, false, false},
		{"at once", extended, mailing.SliceState{Counts: settled}, noon, true, false},
		{"1 ms before ExtendAfter has passed", extended, mailing.SliceState{Counts: settled}, soon.Add(-time.Millisecond), true, false},
		{"when ExtendAfter has passed", extended, mailing.SliceState{Counts: settled}, soon, true, true},
		{"marked", extended, mailing.SliceState{Counts: settled, ExtendedAt: noon}, soon, false, false},
		{"marked for an earlier edit", extended, mailing.SliceState{Counts: settled, ExtendedAt: noon.Add(-1)}, soon, true, true},
		{"paused", running(status(mailing.StatusPaused), func(m *mailing.Mailing) { m.ExtendedAt = noon }), mailing.SliceState{Counts: settled}, soon, true, true},
		{"cancelled since", running(status(mailing.StatusCancelled), func(m *mailing.Mailing) { m.ExtendedAt = noon }), mailing.SliceState{Counts: settled}, soon, true, true},
		{"deleted since", running(deleted, func(m *mailing.Mailing) { m.ExtendedAt = noon }), mailing.SliceState{Counts: settled}, soon, false, false},
		{"its end has come", extended, mailing.SliceState{Counts: settled}, end, true, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.state.Done = true
			some, ready := test.mailing.Extends(test.state), test.mailing.ExtendsNow(test.state, test.now)
			if some != test.some || ready != test.ready {
				t.Errorf("it extends: %t, now: %t, want %t, %t", some, ready, test.some, test.ready)
			}
			if works := test.mailing.Works(test.state, test.now); test.state.Counts.Pending() == 0 && works != test.some {
				t.Errorf("it needs work: %t", works)
			}
		})
	}
}
