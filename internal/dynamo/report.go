package dynamo

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"postrider/internal/mailing"
)

// reportItem is the record of the report of one day. It is in the table of batches
// because that table has a time to live.
type reportItem struct {
	Holder     string `dynamodbav:"by"`
	LeaseUntil int64  `dynamodbav:"lease_until"`
	// DoneAt is the instant as of which the report was made. DoneAt and Counts are set
	// together when the report is published.
	DoneAt int64                 `dynamodbav:"done_at"`
	Counts map[string]countsItem `dynamodbav:"counts"`
}

const (
	// reportSort is the sort key of a record, which is the only item in its partition.
	reportSort = "report"
	// reportTTL is how long the record of a day is kept: longer than any report looks
	// back.
	reportTTL = 35 * 24 * time.Hour
)

// reportKey returns the key of the record of a day, in UTC.
func reportKey(of time.Time) item { return key("report#"+of.UTC().Format(time.DateOnly), reportSort) }

// ClaimReport makes holder the only run that may publish the report of a day, up to
// until. It reports false if the report is published, or another run holds it.
func (s *Store) ClaimReport(ctx context.Context, of time.Time, holder string, now, until time.Time) (bool, error) {
	return s.update(ctx, update{
		table: s.tables.Batches, key: reportKey(of), change: "SET #by = :holder, #lease_until = :until, #ttl = :ttl",
		// The condition admits the run's own lease, because the SDK may have repeated a
		// call whose answer was lost.
		condition: "attribute_not_exists(#done_at)" +
			" AND (attribute_not_exists(#lease_until) OR #lease_until <= :now OR #by = :holder)",
		values: item{
			":now": millis(now), ":holder": str(holder), ":until": millis(until), ":ttl": num(now.Add(reportTTL).Unix()),
		},
	}, "claim the report of %s", of.Format(time.DateOnly))
}

// MarkReported notes that holder has published the report of a day, with the counts in
// it. It reports false if another run has taken over the report.
func (s *Store) MarkReported(ctx context.Context, of time.Time, holder string, r mailing.Reported) (bool, error) {
	counts := make(map[string]countsItem, len(r.Counts))
	for id, c := range r.Counts {
		counts[strconv.FormatUint(uint64(id), 10)] = encodeCounts(c)
	}
	encoded, err := attributevalue.Marshal(counts)
	if err != nil {
		return false, fmt.Errorf("encode the report of %s: %w", of.Format(time.DateOnly), err)
	}
	return s.update(ctx, update{
		table: s.tables.Batches, key: reportKey(of), condition: "#by = :holder",
		change: "SET #done_at = :at, #counts = :counts",
		values: item{":holder": str(holder), ":at": millis(r.At), ":counts": encoded},
	}, "mark the report of %s", of.Format(time.DateOnly))
}

// LastReported returns the instant and the counts of the newest published report for
// one of the [mailing.ReportMemory] days that precede before. It returns the zero
// [mailing.Reported] if there is none.
func (s *Store) LastReported(ctx context.Context, before time.Time) (mailing.Reported, error) {
	for n := 1; n <= mailing.ReportMemory; n++ {
		r, err := s.reported(ctx, before.AddDate(0, 0, -n))
		if err != nil || !r.At.IsZero() {
			return r, err
		}
	}
	return mailing.Reported{}, nil
}

// reported returns the instant and the counts of the report of a day, strongly
// consistent. A report that was claimed but never marked counts as none.
func (s *Store) reported(ctx context.Context, of time.Time) (mailing.Reported, error) {
	record, err := s.get(ctx, s.tables.Batches, reportKey(of), "read the report of %s", of.Format(time.DateOnly))
	if err != nil {
		return mailing.Reported{}, err
	}
	var it reportItem
	if err := attributevalue.UnmarshalMap(record, &it); err != nil {
		return mailing.Reported{}, fmt.Errorf("decode the report of %s: %w", of.Format(time.DateOnly), err)
	}
	if it.DoneAt == 0 {
		return mailing.Reported{}, nil
	}
	r := mailing.Reported{At: fromMillis(it.DoneAt), Counts: make(map[mailing.ID]mailing.Counts, len(it.Counts))}
	for written, counts := range it.Counts {
		id, err := strconv.ParseUint(written, 10, 32)
		if err != nil {
			return mailing.Reported{}, fmt.Errorf("decode the report of %s: %w", of.Format(time.DateOnly), err)
		}
		r.Counts[mailing.ID(id)] = counts.decode()
	}
	return r, nil
}

// reportPages is how many DynamoDB pages are read at most for a report. A page is up to
// 1 MB. It belongs to one partition, so it holds at most a thousand mailings. So 100
// pages hold at most 100,000 mailings. Reading them takes seconds.
const reportPages = 100

// ChangedSince returns the live mailings, and those finished ones that have changed at
// since or later, in no particular order. A mailing that cannot be read is logged and
// left out, so that the others are still reported.
//
// unread is the id below which the finished mailings were not read; 0 if all were read.
func (s *Store) ChangedSince(ctx context.Context, since time.Time) (ms []mailing.Mailing, unread mailing.ID, err error) {
	found := map[mailing.ID]mailing.Mailing{}
	// The live mailings are read first. A mailing that finishes after that is found
	// below, as a finished one.
	live, err := s.Live(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, m := range live {
		found[m.ID] = m
	}
	first, next, err := s.givenOut(ctx)
	if err != nil {
		return nil, 0, err
	}
	for pages := reportPages; next > 0 && pages > 0; {
		w := mailingsFrom(s.tables.Mailings, next)
		w.limit, w.pages = maxInPart, pages
		w.where("#updated_at >= :since", item{":since": millis(since)})
		part, err := s.walk(ctx, w)
		if err != nil {
			return nil, 0, fmt.Errorf("read the mailings that changed, from %d downwards: %w", next, err)
		}
		pages -= part.pages
		for _, it := range part.items {
			m, err := decodeMailing(it)
			if err != nil {
				slog.ErrorContext(ctx, "mailing cannot be read: it is not in the report", "error", err)
				continue
			}
			found[m.ID] = m
		}
		if next, err = below(next, first, part); err != nil {
			return nil, 0, err
		}
	}
	if next > 0 {
		unread = next + 1
	}
	for _, m := range found {
		ms = append(ms, m)
	}
	return ms, unread, nil
}

// maxInPart is more than a partition of mailings holds, so that a walk reads pages of
// full size.
const maxInPart = 100_000
