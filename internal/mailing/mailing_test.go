package mailing_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

func draft(change ...func(*mailing.Draft)) mailing.Draft {
	d := mailing.Draft{Text: "hello", StartAt: start, EndAt: end}
	for _, c := range change {
		c(&d)
	}
	return d
}

// locations returns the fields that err names.
func locations(err error) []string {
	var e *mailing.Error
	if !errors.As(err, &e) {
		return nil
	}
	var at []string
	for _, f := range e.Fields {
		at = append(at, f.Location)
	}
	return at
}

func TestADraftThatBreaksRulesGetsAnErrorThatListsAllOfThem(t *testing.T) {
	same := mailing.Window{From: clock(t, "09:00"), To: clock(t, "09:00")}
	tests := []struct {
		name   string
		change func(*mailing.Draft)
		want   []string
	}{
		{"a valid one", func(*mailing.Draft) {}, nil},
		{"a start in the past", func(d *mailing.Draft) { d.StartAt = noon.AddDate(-1, 0, 0) }, nil},
		{"no text", func(d *mailing.Draft) { d.Text = "" }, []string{"body.text"}},
		{"a blank text", func(d *mailing.Draft) { d.Text = " \n\t" }, []string{"body.text"}},
		{"1,600 characters", func(d *mailing.Draft) { d.Text = strings.Repeat("ы", 1600) }, nil},
		{"1,601 characters", func(d *mailing.Draft) { d.Text = strings.Repeat("ы", 1601) }, []string{"body.text"}},
		{"an end before the start", func(d *mailing.Draft) { d.StartAt, d.EndAt = end, start.Add(6*time.Hour) }, []string{"body.end_at"}},
		{"an end at the start", func(d *mailing.Draft) { d.EndAt, d.StartAt = end, end }, []string{"body.end_at"}},
		{"an end that has passed", func(d *mailing.Draft) { d.EndAt = noon }, []string{"body.end_at"}},
		{"a code of two digits", func(d *mailing.Draft) { d.Filter.OperatorCodes = []string{"900", "90"} }, []string{"body.filter.operator_codes"}},
		{"51 codes", func(d *mailing.Draft) { d.Filter.OperatorCodes = slices.Repeat([]string{"900"}, 51) }, []string{"body.filter.operator_codes"}},
		{"an empty tag", func(d *mailing.Draft) { d.Filter.Tags = []string{""} }, []string{"body.filter.tags"}},
		{"51 tags", func(d *mailing.Draft) { d.Filter.Tags = slices.Repeat([]string{"a"}, 51) }, []string{"body.filter.tags"}},
		{"a window without length", func(d *mailing.Draft) { d.Window = &same }, []string{"body.window"}},
		{"an unknown on_uncertain", func(d *mailing.Draft) { d.OnUncertain = "hope" }, []string{"body.on_uncertain"}},
		{"several at once", func(d *mailing.Draft) { d.Text, d.EndAt = "", time.Time{} }, []string{"body.text", "body.end_at", "body.end_at"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := mailing.New(draft(test.change), noon)
			if (err != nil) != (test.want != nil) {
				t.Fatalf("got error %v", err)
			}
			if diff := cmp.Diff(test.want, locations(err)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTimesAreRoundedIntoTheInterval(t *testing.T) {
	m, err := mailing.New(draft(func(d *mailing.Draft) {
		d.StartAt, d.EndAt = start.Add(1), end.Add(time.Millisecond-1)
	}), noon)
	if err != nil {
		t.Fatal(err)
	}
	if !m.StartAt.Equal(start.Add(time.Millisecond)) || !m.EndAt.Equal(end) {
		t.Errorf("from %s to %s", m.StartAt, m.EndAt)
	}
}

func TestTheStatusDecidesWhichFieldsCanBeEdited(t *testing.T) {
	text := func(d *mailing.Draft) { d.Text = "other" }
	later := func(d *mailing.Draft) { d.EndAt = end.Add(time.Hour) }
	window := func(d *mailing.Draft) { d.Window = &mailing.Window{From: clock(t, "09:00"), To: clock(t, "10:00")} }
	begin := func(d *mailing.Draft) { d.StartAt = start.Add(time.Hour) }
	filter := func(d *mailing.Draft) { d.Filter.Tags = []string{"vip"} }
	past := func(d *mailing.Draft) { d.EndAt = noon.Add(-time.Minute) }
	none := func(*mailing.Draft) {}
	tests := []struct {
		name       string
		status     mailing.Status
		change     func(*mailing.Draft)
		now        time.Time
		want       mailing.Kind // KindInternal if it is allowed
		generation int64
	}{
		{"text while scheduled", mailing.StatusScheduled, text, noon, 0, 0},
		{"start while scheduled", mailing.StatusScheduled, begin, noon, 0, 0},
		{"filter while scheduled", mailing.StatusScheduled, filter, noon, 0, 0},
		{"text while running", mailing.StatusRunning, text, noon, 0, 0},
		{"end while running", mailing.StatusRunning, later, noon, 0, 1},
		{"window while paused", mailing.StatusPaused, window, noon, 0, 1},
		{"start while running", mailing.StatusRunning, begin, noon, mailing.KindConflict, 0},
		{"filter while paused", mailing.StatusPaused, filter, noon, mailing.KindConflict, 0},
		{"locked fields that stay as they are", mailing.StatusRunning, none, noon, 0, 0},
		{"text when completed", mailing.StatusCompleted, text, noon, mailing.KindConflict, 0},
		{"text when cancelled", mailing.StatusCancelled, text, noon, mailing.KindConflict, 0},
		{"an end in the past", mailing.StatusRunning, past, noon, mailing.KindInvalid, 0},
		{"text after the end, which does not change", mailing.StatusRunning, text, end.Add(time.Second), 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := running(status(test.status))
			edited, err := m.Edit(draft(test.change), test.now)
			if test.want != 0 {
				if mailing.KindOf(err) != test.want {
					t.Fatalf("got %v, want kind %d", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if edited.Generation != test.generation || edited.Version != m.Version+1 {
				t.Errorf("generation %d, version %d", edited.Generation, edited.Version)
			}
		})
	}
}

func TestTheLifeOfAMailing(t *testing.T) {
	type action func(mailing.Mailing, time.Time) (mailing.Mailing, error)
	pause, resume, cancel := mailing.Mailing.Paused, mailing.Mailing.Resumed, mailing.Mailing.Cancelled
	const refused = mailing.Status("refused")
	tests := []struct {
		name   string
		from   mailing.Status
		action action
		now    time.Time
		want   mailing.Status
	}{
		{"pause while scheduled", mailing.StatusScheduled, pause, noon, refused},
		{"pause", mailing.StatusRunning, pause, noon, mailing.StatusPaused},
		{"pause again", mailing.StatusPaused, pause, noon, mailing.StatusPaused},
		{"pause when completed", mailing.StatusCompleted, pause, noon, refused},
		{"pause when cancelled", mailing.StatusCancelled, pause, noon, refused},
		{"resume", mailing.StatusPaused, resume, noon, mailing.StatusRunning},
		{"resume while running", mailing.StatusRunning, resume, noon, mailing.StatusRunning},
		{"resume after the end", mailing.StatusPaused, resume, end, refused},
		{"resume when cancelled", mailing.StatusCancelled, resume, noon, refused},
		{"cancel while scheduled", mailing.StatusScheduled, cancel, noon, mailing.StatusCancelled},
		{"cancel while running", mailing.StatusRunning, cancel, noon, mailing.StatusCancelled},
		{"cancel while paused", mailing.StatusPaused, cancel, noon, mailing.StatusCancelled},
		{"cancel again", mailing.StatusCancelled, cancel, noon, mailing.StatusCancelled},
		{"cancel when completed", mailing.StatusCompleted, cancel, noon, refused},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := running(status(test.from))
			m, err := test.action(before, test.now)
			if test.want == refused {
				if mailing.KindOf(err) != mailing.KindConflict {
					t.Fatalf("got %v, want a conflict", err)
				}
				if test.from == mailing.StatusScheduled && !strings.Contains(err.Error(), "cancel it, or move its start_at") {
					t.Errorf("the error does not say what can be done: %v", err)
				}
				return
			}
			if err != nil || m.Status != test.want {
				t.Fatalf("got %s, %v", m.Status, err)
			}
			if changed := m.Status != test.from; changed != (m.Version == before.Version+1) {
				t.Errorf("version %d after %d", m.Version, before.Version)
			}
		})
	}
}

func TestAMailingStartsAtItsStart(t *testing.T) {
	m := running(status(mailing.StatusScheduled))
	if _, ok := m.Started(start.Add(-1)); ok {
		t.Error("it starts 1 ns early")
	}
	if started, ok := m.Started(start); !ok || started.Status != mailing.StatusRunning {
		t.Error("it does not start at its start")
	}
	if _, ok := running().Started(noon); ok {
		t.Error("it starts twice")
	}
}

func TestAMailingCancelledBeforeItsStartIsFinished(t *testing.T) {
	m, err := running(status(mailing.StatusScheduled)).Cancelled(noon)
	if err != nil || !m.Finished {
		t.Errorf("finished is %t, %v", m.Finished, err)
	}
	if m, err = running().Cancelled(noon); err != nil || m.Finished {
		t.Errorf("a running one: finished is %t, %v", m.Finished, err)
	}
}

func TestWhenTasksOfAMailingRun(t *testing.T) {
	at := func(from time.Time, s mailing.Status) mailing.Mailing {
		return running(status(s), func(m *mailing.Mailing) { m.StartAt = from })
	}
	tests := []struct {
		name    string
		mailing mailing.Mailing
		want    time.Duration
		ok      bool
	}{
		{"started", at(noon, mailing.StatusScheduled), 0, true},
		{"ahead: whole seconds, rounded down", at(noon.Add(20*time.Second-1), mailing.StatusScheduled), 19 * time.Second, true},
		{"15 minutes ahead", at(noon.Add(15*time.Minute), mailing.StatusScheduled), 15 * time.Minute, true},
		{"further ahead than a queue can delay a task", at(noon.Add(16*time.Minute), mailing.StatusScheduled), 0, false},
		{"running", running(), 0, true},
		{"paused", running(status(mailing.StatusPaused)), 0, false},
		{"cancelled", running(status(mailing.StatusCancelled)), 0, true},
		{"finished", running(func(m *mailing.Mailing) { m.Finished = true }), 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			delay, ok := test.mailing.TaskDelay(noon)
			if ok != test.ok || ok && delay != test.want {
				t.Errorf("got %s, %t", delay, ok)
			}
		})
	}
}

func TestAClientIsChecked(t *testing.T) {
	valid := mailing.Client{Phone: "79001234567", Timezone: "Europe/Moscow"}
	tests := []struct {
		name   string
		change func(*mailing.Client)
		want   []string
	}{
		{"a valid one", func(*mailing.Client) {}, nil},
		{"10 digits", func(c *mailing.Client) { c.Phone = "7900123456" }, []string{"body.phone"}},
		{"a plus", func(c *mailing.Client) { c.Phone = "+79001234567" }, []string{"body.phone"}},
		{"another country", func(c *mailing.Client) { c.Phone = "89001234567" }, []string{"body.phone"}},
		{"a line break after the phone", func(c *mailing.Client) { c.Phone = "79001234567\n" }, []string{"body.phone"}},
		{"digits of another script", func(c *mailing.Client) { c.Phone = "7900123456٣" }, []string{"body.phone"}},
		{"an operator code of letters", func(c *mailing.Client) { c.OperatorCode = "abc" }, []string{"body.operator_code"}},
		{"64 characters of tag", func(c *mailing.Client) { c.Tag = strings.Repeat("ы", 64) }, nil},
		{"65 characters of tag", func(c *mailing.Client) { c.Tag = strings.Repeat("ы", 65) }, []string{"body.tag"}},
		{"no zone", func(c *mailing.Client) { c.Timezone = "" }, []string{"body.timezone"}},
		{"the machine's zone", func(c *mailing.Client) { c.Timezone = "Local" }, []string{"body.timezone"}},
		{"an offset", func(c *mailing.Client) { c.Timezone = "+03:00" }, []string{"body.timezone"}},
		{"an unknown zone", func(c *mailing.Client) { c.Timezone = "Europe/Atlantis" }, []string{"body.timezone"}},
		{"a path", func(c *mailing.Client) { c.Timezone = "../etc/passwd" }, []string{"body.timezone"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := valid
			test.change(&c)
			_, err := mailing.NewClient(c)
			if diff := cmp.Diff(test.want, locations(err)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnOperatorCodeFollowsThePhoneOnlyWhereItWasDerived(t *testing.T) {
	derived, err := mailing.NewClient(mailing.Client{Phone: "79001234567", Timezone: "UTC", Tag: " vip "})
	if err != nil || derived.OperatorCode != "900" || derived.Tag != "vip" {
		t.Fatalf("got %+v, %v", derived, err)
	}
	if got := derived.WithPhone("79161234567").OperatorCode; got != "916" {
		t.Errorf("a derived code became %s", got)
	}
	ported := derived
	ported.OperatorCode = "999"
	if got := ported.WithPhone("79161234567").OperatorCode; got != "999" {
		t.Errorf("a code that was set became %s", got)
	}
}
