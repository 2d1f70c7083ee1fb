package mailing_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

// sixOClock is when the reports of these tests are made. They cover March 2.
var sixOClock = time.Date(2026, 3, 3, 6, 0, 0, 0, time.UTC)

func counted(sent, failed, queued int64) mailing.Counts {
	return mailing.Counts{Total: sent + failed + queued, Sent: sent, Failed: failed, Queued: queued}
}

// reportOf returns the report of mailings that each began some time before now.
func reportOf(now time.Time, before mailing.Reported, begun map[mailing.ID]time.Duration, counts map[mailing.ID]mailing.Counts) mailing.Report {
	var (
		ms       []mailing.Mailing
		progress []mailing.Progress
	)
	for id, ago := range begun {
		ms = append(ms, mailing.Mailing{
			ID: id, Status: mailing.StatusRunning,
			Draft: mailing.Draft{Text: "a secret", StartAt: now.Add(-ago), EndAt: now.Add(time.Hour)},
		})
		progress = append(progress, mailing.Progress{Counts: counts[id]})
	}
	return mailing.NewReport(now, before, ms, progress, 0)
}

func TestAReportListsYesterdaysMailingsWithTheirNewMessages(t *testing.T) {
	t.Parallel()
	before := mailing.Reported{
		At:     sixOClock.Add(-24 * time.Hour),
		Counts: map[mailing.ID]mailing.Counts{7: counted(100, 0, 900)},
	}
	r := reportOf(sixOClock, before,
		map[mailing.ID]time.Duration{
			7: 30 * time.Hour, 12: 10 * time.Hour,
			13: time.Hour,  // today
			14: -time.Hour, // not yet
		},
		map[mailing.ID]mailing.Counts{7: counted(990, 10, 0), 12: counted(5, 0, 45), 13: counted(3, 0, 0)})
	want := `Mailings of 2026-03-02 (UTC): those that were under way on that day, or were changed since.
All counts are as of 2026-03-03 06:00 UTC: what happened later is not in them.
"new" is what was sent and is in no report yet, the last of which was as of 2026-03-02 06:00 UTC; - is not known.

  mailing   status  total  sent  new  pending  failed  uncertain  expired  cancelled  skipped
       12  running     50     5    5       45       0          0        0          0        0
        7  running   1000   990  890        0      10          0        0          0        0
      sum            1050   995  895       45      10          0        0          0        0
`
	if diff := cmp.Diff(want, r.Text()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("Postrider: report of 2026-03-02, 2 mailings", r.Subject()); diff != "" {
		t.Error(diff)
	}
	// Mailings that began today are in no report yet: in the next one all of their
	// messages are new.
	remembered := mailing.Reported{At: sixOClock, Counts: map[mailing.ID]mailing.Counts{
		7: counted(990, 10, 0), 12: counted(5, 0, 45),
	}}
	if diff := cmp.Diff(remembered, r.Remembered()); diff != "" {
		t.Errorf("remembered (-want +got):\n%s", diff)
	}
}

func TestNewMessagesAreReportedOnlyIfTheirNumberIsKnown(t *testing.T) {
	t.Parallel()
	begun := map[mailing.ID]time.Duration{7: 30 * time.Hour} // at midnight
	counts := map[mailing.ID]mailing.Counts{7: counted(990, 10, 0)}
	for _, c := range []struct {
		name   string
		before mailing.Reported
		want   string
	}{
		{"no report before", mailing.Reported{}, "-"},
		{"a report that did not count it, although it had begun", mailing.Reported{At: sixOClock}, "-"},
		{"a report before its start", mailing.Reported{At: sixOClock.Add(-31 * time.Hour)}, "990"},
		{"a report after its start, about the day before its start", mailing.Reported{At: sixOClock.Add(-24 * time.Hour)}, "990"},
		{"a report that counted it", mailing.Reported{At: sixOClock.Add(-24 * time.Hour), Counts: counts}, "0"},
	} {
		r := reportOf(sixOClock, c.before, begun, counts)
		table := strings.Split(strings.TrimSpace(r.Text()), "\n")
		for _, line := range table[len(table)-2:] {
			cells := strings.Fields(line)
			if got := cells[len(cells)-7]; got != c.want {
				t.Errorf("%s: new is %s, want %s", c.name, got, c.want)
			}
		}
	}
}

// line returns the line of a report's table with this first cell, nil if there is none.
func line(t *testing.T, r mailing.Report, first string) []string {
	t.Helper()
	var found []string
	for text := range strings.Lines(r.Text()) {
		if cells := strings.Fields(text); len(cells) > 1 && cells[0] == first {
			if found != nil {
				t.Errorf("two lines begin with %s:\n%s", first, r.Text())
			}
			found = cells
		}
	}
	return found
}

func TestADayIsFromMidnightToMidnightInUTC(t *testing.T) {
	t.Parallel()
	moscow := time.FixedZone("MSK", 3*60*60)
	for now, want := range map[time.Time]string{
		sixOClock: "2026-03-02T00:00:00Z",
		time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC):        "2026-03-02T00:00:00Z",
		time.Date(2026, 3, 2, 23, 59, 59, 1e9-1, time.UTC): "2026-03-01T00:00:00Z",
		time.Date(2026, 3, 3, 2, 0, 0, 0, moscow):          "2026-03-01T00:00:00Z",
	} {
		if got := mailing.ReportDay(now).Format(time.RFC3339); got != want {
			t.Errorf("at %s: %s, want %s", now, got, want)
		}
	}
	counts := map[mailing.ID]mailing.Counts{7: counted(1, 0, 0)}
	for ago, want := range map[time.Duration]bool{
		6*time.Hour + time.Millisecond: true,
		6 * time.Hour:                  false, // at midnight
		0:                              false,
	} {
		r := reportOf(sixOClock, mailing.Reported{}, map[mailing.ID]time.Duration{7: ago}, counts)
		if got := line(t, r, "7") != nil; got != want {
			t.Errorf("begun %s ago: is it in the report? %t, want %t", ago, got, want)
		}
	}
}

func TestADeletedMailingIsNotReported(t *testing.T) {
	t.Parallel()
	m := mailing.Mailing{ID: 7, Status: mailing.StatusCompleted, Deleted: true, Draft: mailing.Draft{StartAt: sixOClock.Add(-10 * time.Hour)}}
	r := mailing.NewReport(sixOClock, mailing.Reported{}, []mailing.Mailing{m}, []mailing.Progress{{Counts: counted(5, 0, 0)}}, 0)
	if n := len(r.Remembered().Counts); n > 0 || !strings.Contains(r.Text(), "There were none.") {
		t.Errorf("%d remembered\n%s", n, r.Text())
	}
}

// lasts is the number of hours for which a mailing of history sends, one message each
// hour.
const lasts = 9

// history makes n mailings. One of them begins every five hours, from first on. It returns
// those that the store finds at now: the unfinished ones, and those that changed at since
// or later.
func history(n int, first, now, since time.Time) (ms []mailing.Mailing, progress []mailing.Progress) {
	for i := range n {
		begun := first.Add(time.Duration(5*i) * time.Hour)
		sent := min(max(int64(now.Sub(begun).Hours()), 0), lasts)
		m := mailing.Mailing{ID: mailing.ID(i + 1), Finished: sent == lasts, UpdatedAt: begun, Draft: mailing.Draft{StartAt: begun}}
		if m.Finished {
			m.UpdatedAt = begun.Add(lasts * time.Hour)
		}
		if !m.Finished || !m.UpdatedAt.Before(since) {
			ms, progress = append(ms, m), append(progress, mailing.Progress{Counts: counted(sent, 0, lasts-sent)})
		}
	}
	return ms, progress
}

// TestNewMessagesOfReportsAddUpToAllSentMessages adds up the reports of several days. One
// day in between has no report.
func TestNewMessagesOfReportsAddUpToAllSentMessages(t *testing.T) {
	t.Parallel()
	const many, days, missing = 40, 12, 4
	first := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for _, hour := range []int{0, 6, 23} {
		var (
			before mailing.Reported
			added  int64
		)
		for d := range days {
			if d == missing {
				continue
			}
			now := first.AddDate(0, 0, d).Add(time.Duration(hour) * time.Hour)
			ms, progress := history(many, first.AddDate(0, 0, 1), now, mailing.ReportSince(mailing.ReportDay(now), before))
			r := mailing.NewReport(now, before, ms, progress, 0)
			before = r.Remembered()
			if sum := line(t, r, "sum"); sum != nil {
				n, err := strconv.ParseInt(sum[3], 10, 64)
				if err != nil {
					t.Fatalf("%v in\n%s", err, r.Text())
				}
				added += n
			}
		}
		if want := int64(many * lasts); added != want {
			t.Errorf("at %d o'clock: %d in all reports, %d were sent", hour, added, want)
		}
	}
}

func TestADayWithoutMailingsHasAReport(t *testing.T) {
	t.Parallel()
	r := mailing.NewReport(sixOClock, mailing.Reported{}, nil, nil, 0)
	if !strings.Contains(r.Text(), "There were none.") || r.Subject() != "Postrider: report of 2026-03-02, 0 mailings" {
		t.Errorf("%s\n%s", r.Subject(), r.Text())
	}
}

func TestTheLargestReportFitsIntoAMailAndSaysWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	const many = 1e10
	begun, counts := map[mailing.ID]time.Duration{}, map[mailing.ID]mailing.Counts{}
	huge := mailing.Counts{
		Total: 7 * many, Queued: many, Sent: many, Failed: many, Expired: many, Cancelled: many, Skipped: many, Uncertain: many,
	}
	for n := range mailing.ID(mailing.MaxReported + 5) {
		begun[mailing.MaxID-n], counts[mailing.MaxID-n] = 10*time.Hour, huge
	}
	r := reportOf(sixOClock, mailing.Reported{At: sixOClock.Add(-day)}, begun, counts)
	text := r.Text()
	if len(text) > 200_000 || len(r.Subject()) >= 100 {
		t.Errorf("%d bytes, subject of %d", len(text), len(r.Subject()))
	}
	if !strings.Contains(text, "\n5 older mailings are left out of the list, for its length; they are in the sum.\n") {
		t.Error("it does not say what is left out")
	}
	if n := len(r.Remembered().Counts); n != mailing.MaxReported {
		t.Errorf("%d are remembered", n)
	}
	if sum := line(t, r, "sum"); sum[1] != "70350000000000" || sum[2] != "10050000000000" || sum[3] != sum[2] {
		t.Errorf("the sum is %v", sum)
	}
	if strings.Contains(text, "secret") {
		t.Error("a mailing's text is in it")
	}
}

func TestAReportSaysHowFarItLooked(t *testing.T) {
	t.Parallel()
	r := mailing.NewReport(sixOClock, mailing.Reported{}, nil, nil, 17)
	if !strings.Contains(r.Text(), "\nFinished mailings older than 17 were not looked at.\n") {
		t.Error(r.Text())
	}
}

func TestAReportCoversTheDaysWithoutOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		before, want time.Time
	}{
		{"the first report", time.Time{}, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)},
		{"a report yesterday", sixOClock.Add(-day), time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)},
		{"a report three days ago, about the day before it", sixOClock.Add(-3 * day), time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC)},
	} {
		if got := mailing.ReportSince(mailing.ReportDay(sixOClock), mailing.Reported{At: c.before}); !got.Equal(c.want) {
			t.Errorf("%s: since %s, want %s", c.name, got, c.want)
		}
	}
}

const day = 24 * time.Hour
