package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"postrider/internal/mailing"
)

// ReportStore is what the daily report needs to be kept. internal/dynamo
// implements it.
type ReportStore interface {
	ClaimReport(ctx context.Context, day time.Time, holder string, now, until time.Time) (bool, error)
	LastReported(ctx context.Context, before time.Time) (mailing.Reported, error)
	ChangedSince(ctx context.Context, since time.Time) (ms []mailing.Mailing, unread mailing.MailingID, err error)
	Progress(ctx context.Context, ms []mailing.Mailing) ([]mailing.Progress, error)
	MarkReported(ctx context.Context, day time.Time, holder string, r mailing.Reported) (bool, error)
}

// Topic is where reports are published.
type Topic interface {
	Publish(ctx context.Context, subject, text string) error
}

// Reporter publishes the daily report. It is safe for concurrent use.
type Reporter struct {
	store ReportStore
	topic Topic
	clock Clock
	// holder makes names that nobody else has.
	holder func() string
}

// NewReporter is a reporter.
func NewReporter(store ReportStore, topic Topic, clock Clock, holder func() string) *Reporter {
	return &Reporter{store: store, topic: topic, clock: clock, holder: holder}
}

// reportLease is how long a run keeps others from the report: longer than an
// invocation of the scheduler (30 s), and less than a minute, so that whoever asks for
// it after one that failed need not wait.
const reportLease = 45 * time.Second

// Report publishes the report of yesterday unless that is done, or another run
// is about to. One that fails, or is killed, is made up for by any later run of
// the day. Only a run that ends between publishing and taking that down makes
// the next one publish once more: a report that comes twice is seen to be the
// same, one that does not come is not seen at all.
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
