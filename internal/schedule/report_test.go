package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"postrider/internal/cfn"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
	"postrider/internal/schedule"
)

// fakeTopic records the reports that are published.
type fakeTopic struct {
	mu        sync.Mutex
	published []string
	fail      error
	// before runs before each publication.
	before func()
}

func (f *fakeTopic) Publish(_ context.Context, subject, text string) error {
	if f.before != nil {
		f.before()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return f.fail
	}
	f.published = append(f.published, subject+"\n"+text)
	return nil
}

// report runs the reporter once, with faults on its way to DynamoDB or without.
func (w *world) report(topic *fakeTopic, faults *dynamotest.Faults) error {
	w.t.Helper()
	w.reports++
	holder := fmt.Sprintf("run %d", w.reports)
	r := schedule.NewReporter(w.env.StoreOver(faults, w.clock.Option()), topic, w.clock, func() string { return holder })
	return r.Report(w.t.Context())
}

func (w *world) mustReport(topic *fakeTopic, published int) {
	w.t.Helper()
	if err := w.report(topic, w.noFaults()); err != nil {
		w.t.Fatal(err)
	}
	if n := len(topic.published); n != published {
		w.t.Fatalf("published %d times, want %d", n, published)
	}
}

func TestAReportIsPublishedOnceADay(t *testing.T) {
	w, topic := newWorld(t), &fakeTopic{}
	w.clients(3)
	if err := w.do(w.noFaults()); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(24 * time.Hour)
	w.mustReport(topic, 1)
	w.mustReport(topic, 1)
	w.clock.Advance(time.Hour)
	w.mustReport(topic, 1)
	w.clock.Advance(23 * time.Hour)
	w.mustReport(topic, 2)
	for i, want := range []string{
		"Postrider: report of 2026-03-02, 1 mailing\n",
		"Postrider: report of 2026-03-03, 1 mailing\n",
	} {
		if !strings.HasPrefix(topic.published[i], want) {
			t.Errorf("report %d: %s", i, topic.published[i])
		}
	}
	if want := "in no report yet, the last of which was as of 2026-03-03 09:30 UTC"; !strings.Contains(topic.published[1], want) {
		t.Errorf("the second one does not say %q:\n%s", want, topic.published[1])
	}
	line := "1 running 3 0 - 3 0 0 0 0 0"
	if got := strings.Join(strings.Fields(topic.published[0]), " "); !strings.Contains(got, line) {
		t.Errorf("no line %q in\n%s", line, topic.published[0])
	}
	line = "1 running 3 0 0 3 0 0 0 0 0"
	if got := strings.Join(strings.Fields(topic.published[1]), " "); !strings.Contains(got, line) {
		t.Errorf("no line %q in\n%s", line, topic.published[1])
	}
}

func TestOneOfSeveralRunsAtOncePublishes(t *testing.T) {
	w := newWorld(t)
	second := &fakeTopic{}
	first := &fakeTopic{before: func() {
		if err := w.report(second, w.noFaults()); err != nil {
			t.Error(err)
		}
	}}
	w.mustReport(first, 1)
	if n := len(second.published); n != 0 {
		t.Errorf("the second run publishes %d times", n)
	}
}

func TestAReportOfAFailedRunIsPublishedByALaterRun(t *testing.T) {
	broken := errors.New("broken")
	for name, run := range map[string]func(w *world) error{
		"the report cannot be published": func(w *world) error { return w.report(&fakeTopic{fail: broken}, w.noFaults()) },
		"mailings cannot be read": func(w *world) error {
			faults := w.noFaults()
			faults.Always(dynamotest.Query, dynamotest.Fault{Refuse: broken})
			return w.report(&fakeTopic{}, faults)
		},
		"the answer to the claim is lost": func(w *world) error {
			faults := w.noFaults()
			faults.On(dynamotest.UpdateItem, 1, dynamotest.Fault{Lose: broken})
			return w.report(&fakeTopic{}, faults)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, topic := newWorld(t), &fakeTopic{}
			if err := run(w); !errors.Is(err, broken) {
				t.Fatal(err)
			}
			w.mustReport(topic, 0)       // the lease is not over: the run might still continue
			w.clock.Advance(time.Minute) // longer than the lease
			w.mustReport(topic, 1)
			w.clock.Advance(time.Hour)
			w.mustReport(topic, 1)
		})
	}
}

// A report that comes twice is better than a report that never comes.
func TestAReportIsRepeatedOnlyIfItsPublicationWasNotStored(t *testing.T) {
	w, topic := newWorld(t), &fakeTopic{}
	killed := errors.New("killed")
	faults := w.noFaults()
	faults.On(dynamotest.UpdateItem, 2, dynamotest.Fault{Refuse: killed})
	if err := w.report(topic, faults); !errors.Is(err, killed) || len(topic.published) != 1 {
		t.Fatal(len(topic.published), err)
	}
	w.clock.Advance(time.Hour)
	w.mustReport(topic, 2)
	w.clock.Advance(time.Hour)
	w.mustReport(topic, 2)
}

func TestARunThatOutlivesItsLeaseDoesNotUndoALaterRun(t *testing.T) {
	w := newWorld(t)
	second := &fakeTopic{}
	first := &fakeTopic{before: func() {
		w.clock.Advance(time.Minute)
		w.mustReport(second, 1)
	}}
	w.mustReport(first, 1)
	w.clock.Advance(time.Hour)
	w.mustReport(second, 1)
}

func TestMessagesSentBetweenMidnightAndTheReportAreNewInTheNextReport(t *testing.T) {
	w, topic := newWorld(t), &fakeTopic{}
	// The mailing begins at 9:30, and ends before the report at 10:00.
	finish := func(m mailing.Mailing) (mailing.Mailing, error) {
		return m.AsFinished(mailing.Counts{Total: 5, Sent: 5}, w.clock.Now()), nil
	}
	if _, err := w.store.UpdateMailing(t.Context(), w.mailing.ID, finish); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(30 * time.Minute)
	w.mustReport(topic, 1)
	w.clock.Advance(24 * time.Hour)
	w.mustReport(topic, 2)
	if !strings.Contains(topic.published[0], "There were none.") {
		t.Errorf("the mailing is in the report of the day before:\n%s", topic.published[0])
	}
	line := "1 completed 5 5 5 0 0 0 0 0 0"
	if got := strings.Join(strings.Fields(topic.published[1]), " "); !strings.Contains(got, line) {
		t.Errorf("no line %q in\n%s", line, topic.published[1])
	}
}

func TestADayWithoutAReportIsCoveredByTheNext(t *testing.T) {
	w, topic := newWorld(t), &fakeTopic{}
	w.mustReport(topic, 1)
	// The mailing ends on a day whose report is never made.
	w.clock.Advance(12 * time.Hour)
	if _, err := w.store.UpdateMailing(t.Context(), w.mailing.ID, func(m mailing.Mailing) (mailing.Mailing, error) {
		return m.AsFinished(mailing.Counts{Total: 5, Sent: 5}, w.clock.Now()), nil
	}); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(60 * time.Hour)
	w.mustReport(topic, 2)
	line := "1 completed 5 5 5 0 0 0 0 0 0"
	if got := strings.Join(strings.Fields(topic.published[1]), " "); !strings.Contains(got, line) {
		t.Errorf("no line %q in\n%s", line, topic.published[1])
	}
}

// halfRead is a store that did not look for finished mailings below id 17.
type halfRead struct{ schedule.ReportStore }

func (h halfRead) ChangedSince(ctx context.Context, since time.Time) ([]mailing.Mailing, mailing.ID, error) {
	ms, _, err := h.ReportStore.ChangedSince(ctx, since)
	return ms, 17, err
}

func TestAnIncompleteReportSaysSo(t *testing.T) {
	w, topic := newWorld(t), &fakeTopic{}
	if err := schedule.NewReporter(halfRead{w.store}, topic, w.clock, func() string { return "me" }).Report(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := "\nFinished mailings older than 17 were not looked at.\n"; len(topic.published) != 1 || !strings.Contains(topic.published[0], want) {
		t.Errorf("no line %q in %q", want, topic.published)
	}
}

// leases is a store that records how long reports are claimed.
type leases struct {
	schedule.ReportStore

	taken []time.Duration
}

func (l *leases) ClaimReport(ctx context.Context, day time.Time, holder string, now, until time.Time) (bool, error) {
	l.taken = append(l.taken, until.Sub(now))
	return l.ReportStore.ClaimReport(ctx, day, holder, now, until)
}

func TestAReportsLeaseOutlivesItsRunAndEndsWithinAMinute(t *testing.T) {
	template, err := cfn.Read("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	timeout, _ := cfn.At(template["Resources"], "SchedulerFunction", "Properties", "Timeout").(float64)
	w := newWorld(t)
	store := &leases{ReportStore: w.store}
	if err := schedule.NewReporter(store, &fakeTopic{}, w.clock, func() string { return "me" }).Report(t.Context()); err != nil {
		t.Fatal(err)
	}
	// reserve allows for clocks that differ, and for the time from a run's start to its
	// claim.
	const reserve = 5 * time.Second
	run := time.Duration(timeout) * time.Second
	if len(store.taken) != 1 || run == 0 || store.taken[0] < run+reserve || store.taken[0] > time.Minute-reserve {
		t.Errorf("leases of %s; want one that is longer than a run (%s) and shorter than a minute", store.taken, run)
	}
}
