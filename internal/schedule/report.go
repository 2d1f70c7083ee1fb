package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"postrider/internal/clock"
	"postrider/internal/mailing"
)

// ReportStore is the part of the storage that the daily report uses. internal/dynamo
// implements it.
type ReportStore interface {
	// ClaimReport makes holder the only run that may publish the report of a day, up to
	// until. It returns false if the report is published, or another run holds it.
	ClaimReport(ctx context.Context, day time.Time, holder string, now, until time.Time) (bool, error)
	// LastReported returns the stored summary of the newest report of a day before the
	// given one. It returns the zero value if there is none.
	LastReported(ctx context.Context, before time.Time) (mailing.Reported, error)
	// ChangedSince returns the mailings that are not finished, and the finished ones that
	// have changed since an instant. unread is the id below which finished mailings were
	// not looked for, or 0 if all were looked for.
	ChangedSince(ctx context.Context, since time.Time) (ms []mailing.Mailing, unread mailing.ID, err error)
	// Progress returns the counts of each of ms, in their order.
	Progress(ctx context.Context, ms []mailing.Mailing) ([]mailing.Progress, error)
	// MarkReported stores that holder has published the report of a day, with its
	// summary. It returns false if another run has taken the report over.
	MarkReported(ctx context.Context, day time.Time, holder string, r mailing.Reported) (bool, error)
}

// Topic publishes reports.
type Topic interface {
	Publish(ctx context.Context, subject, text string) error
}

// Reporter publishes the daily report. It is safe for concurrent use.
type Reporter struct {
	store ReportStore
	topic Topic
	clock clock.Clock
	// holder returns a new name for each run, which no other run has.
	holder func() string
}

// NewReporter returns a reporter.
func NewReporter(store ReportStore, topic Topic, clock clock.Clock, holder func() string) *Reporter {
	return &Reporter{store: store, topic: topic, clock: clock, holder: holder}
}

// reportLease is how long a run's claim keeps other runs from the report. It is longer
// than an invocation of the scheduler (30 s). It is less than a minute, so that a run one
// minute after a failed run can claim the report.
const reportLease = 45 * time.Second

// Report publishes the report of yesterday, unless it is published already or another run
// holds it. If a run fails or is killed, any later run of the day publishes the report.
// The report is published twice only if a run has published the report, and has not marked
// it as published before its claim ends. Publishing before marking is a choice: readers
// recognise a report that comes twice, but do not notice a report that never comes.
func (r *Reporter) Report(ctx context.Context) error {
	now, holder := r.clock.Now(), r.holder()
	day := mailing.ReportDay(now)
	claimed, err := r.store.ClaimReport(ctx, day, holder, now, now.Add(reportLease))
	if err != nil || !claimed {
		return err
	}
	report, err := r.make(ctx, day, now)
	if err != nil {
		return fmt.Errorf("make the report of %s: %w", day.Format(time.DateOnly), err)
	}
	if err := r.topic.Publish(ctx, report.Subject(), report.Text()); err != nil {
		return fmt.Errorf("publish the report of %s: %w", day.Format(time.DateOnly), err)
	}
	mine, err := r.store.MarkReported(ctx, day, holder, report.Remembered())
	if err != nil {
		return err
	}
	if !mine {
		slog.WarnContext(ctx, "the report took longer than its lease: it may have been published twice", "day", day.Format(time.DateOnly))
		return nil
	}
	slog.InfoContext(ctx, "report published", "day", day.Format(time.DateOnly))
	return nil
}

// make makes the report of a day from the tables. It looks for finished mailings that have
// changed since [mailing.ReportSince].
func (r *Reporter) make(ctx context.Context, day, now time.Time) (mailing.Report, error) {
	before, err := r.store.LastReported(ctx, day)
	if err != nil {
		return mailing.Report{}, err
	}
	ms, unread, err := r.store.ChangedSince(ctx, mailing.ReportSince(day, before))
	if err != nil {
		return mailing.Report{}, err
	}
	progress, err := r.store.Progress(ctx, ms)
	if err != nil {
		return mailing.Report{}, err
	}
	return mailing.NewReport(now, before, ms, progress, unread), nil
}
