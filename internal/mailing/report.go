package mailing

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

const (
	// MaxReported is the maximum number of mailings that a report shows, and that its
	// record keeps: some 130 KB of text (SNS takes 256 KB) and as much in a table (an
	// item holds 400 KB).
	MaxReported = 1000
	// ReportMemory is how many days back a report looks for the report before it.
	ReportMemory = 7
)

// Reported is the stored summary of a report. The next report compares with it to find
// what is new.
type Reported struct {
	// At is the instant at which the report was made; the zero time if there was none.
	At time.Time
	// Counts holds the counts of the mailings in the report.
	Counts map[ID]Counts
}

// ReportDay returns the day that a report made at now covers: yesterday in UTC, as its
// first instant.
func ReportDay(now time.Time) time.Time { return now.UTC().Truncate(day).Add(-day) }

// ReportSince returns the instant since which a finished mailing must have changed to be
// in the report of a day. It is the beginning of that day; or, if the days before it have
// no report, the end of the last day that has one.
func ReportSince(of time.Time, before Reported) time.Time {
	if end := before.end(); !end.IsZero() && end.Before(of) {
		return end
	}
	return of
}

// end returns the end of the day that the report covered; the zero time if there was no
// report.
func (r Reported) end() time.Time {
	if r.At.IsZero() {
		return time.Time{}
	}
	return ReportDay(r.At).Add(day)
}

// Report is the daily report.
type Report struct {
	// Day is the first instant of the day that the report covers. At is when its counts
	// were read.
	Day, At time.Time
	before  Reported
	// lines holds the mailings that began before the day was over, newest first.
	lines []reportLine
	// unread is the smallest id that the search for finished mailings reached; 0 if it
	// reached all of them. Unfinished mailings are in the report whatever their ids.
	unread ID
}

type reportLine struct {
	id     ID
	status Status
	start  time.Time
	counts Counts
}

// NewReport returns the report that is made at now. ms are the mailings that are not
// finished, or have changed since [ReportSince]; progress has their counts in the same
// order. A mailing that began only after the day is left to the next report. unread is
// the smallest id that the search for finished mailings reached, 0 if it reached all of
// them. Deleted mailings are left out, as everywhere.
func NewReport(now time.Time, before Reported, ms []Mailing, progress []Progress, unread ID) Report {
	r := Report{Day: ReportDay(now), At: now, before: before, unread: unread}
	for i, m := range ms {
		if !m.Deleted && m.StartAt.Before(r.Day.Add(day)) {
			r.lines = append(r.lines, reportLine{m.ID, m.Status, m.StartAt, progress[i].Counts})
		}
	}
	slices.SortFunc(r.lines, func(a, b reportLine) int { return cmp.Compare(b.id, a.id) })
	return r
}

// Remembered returns the summary that the next report needs: the counts of the newest
// mailings.
func (r Report) Remembered() Reported {
	listed := r.lines[:min(len(r.lines), MaxReported)]
	remembered := Reported{At: r.At, Counts: make(map[ID]Counts, len(listed))}
	for _, l := range listed {
		remembered.Counts[l.id] = l.counts
	}
	return remembered
}

// newlySent returns how many of a mailing's sent messages were in no report yet. The
// number is known if the previous report counted the mailing. It is also known if the
// mailing began after the day of the previous report: then that report left it out.
func (r Report) newlySent(l reportLine) (n int64, known bool) {
	counts, ok := r.before.Counts[l.id]
	if !ok && (r.before.At.IsZero() || l.start.Before(r.before.end())) {
		return 0, false
	}
	return l.counts.Sent - counts.Sent, true
}

// Subject returns one line of less than 100 characters, SNS's limit.
func (r Report) Subject() string {
	if len(r.lines) == 1 {
		return fmt.Sprintf("Postrider: report of %s, 1 mailing", date(r.Day))
	}
	return fmt.Sprintf("Postrider: report of %s, %d mailings", date(r.Day), len(r.lines))
}

// Text returns the report as text for a mail. It contains neither a phone nor a mailing's
// text: it is unknown where a mail is kept.
func (r Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Mailings of %s (UTC): those that were under way on that day, or were changed since.\n", date(r.Day))
	fmt.Fprintf(&b, "All counts are as of %s: what happened later is not in them.\n", minute(r.At))
	switch {
	case r.before.At.IsZero():
		fmt.Fprintf(&b, "\"new\" would be what was sent and is in no report yet, but there is none of the last %d days.\n", ReportMemory)
	default:
		fmt.Fprintf(&b, "\"new\" is what was sent and is in no report yet, the last of which was as of %s; - is not known.\n", minute(r.before.At))
	}
	b.WriteString("\n")
	if len(r.lines) == 0 {
		b.WriteString("There were none.\n")
	} else {
		r.table(&b)
	}
	if left := len(r.lines) - MaxReported; left > 0 {
		fmt.Fprintf(&b, "\n%d older mailings are left out of the list, for its length; they are in the sum.\n", left)
	}
	if r.unread > 0 {
		fmt.Fprintf(&b, "\nFinished mailings older than %d were not looked at.\n", r.unread)
	}
	return b.String()
}

// table writes one line for each mailing, and the sum of all of them.
func (r Report) table(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")+"\t") }
	counts := func(name, status string, c Counts, newly string) {
		row(name, status, num(c.Total), num(c.Sent), newly, num(c.Pending()), num(c.Failed), num(c.Uncertain), num(c.Expired), num(c.Cancelled), num(c.Skipped))
	}
	row("mailing", "status", "total", "sent", "new", "pending", "failed", "uncertain", "expired", "cancelled", "skipped")
	var sum Counts
	newly, allKnown := int64(0), true
	for i, l := range r.lines {
		n, known := r.newlySent(l)
		sum, newly, allKnown = sum.Plus(l.counts), newly+n, allKnown && known
		if i < MaxReported {
			counts(strconv.FormatUint(uint64(l.id), 10), string(l.status), l.counts, ifKnown(n, known))
		}
	}
	counts("sum", "", sum, ifKnown(newly, allKnown))
	_ = w.Flush() // writing to a string cannot fail
}

func num(n int64) string { return strconv.FormatInt(n, 10) }

func ifKnown(n int64, known bool) string {
	if !known {
		return "-"
	}
	return num(n)
}

func date(t time.Time) string   { return t.UTC().Format(time.DateOnly) }
func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }
