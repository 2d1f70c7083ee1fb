package dynamo

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"postrider/internal/mailing"
)

// reportItem is the record of a day's report. It is in the table of batches
// because things expire there.
type reportItem struct {
	Holder     string `dynamodbav:"by"`
	LeaseUntil int64  `dynamodbav:"lease_until"`
	// DoneAt is the instant as of which the report was made, set once it is
	// published, together with what it counted.
	DoneAt int64                 `dynamodbav:"done_at"`
	Counts map[string]countsItem `dynamodbav:"counts"`
}

const (
	reportSort = "report"
	doneAttr   = "done_at"
	// reportTTL is how long a day's record is kept: longer than any report looks
	// back.
	reportTTL = 35 * 24 * time.Hour
)

func reportKey(of time.Time) item { return key("report#"+of.UTC().Format(time.DateOnly), reportSort) }

// ClaimReport makes holder the only one that may publish the report of a day, up
// to until. It tells false if the report is published, or somebody else holds it.
func (s *Store) ClaimReport(ctx context.Context, of time.Time, holder string, now, until time.Time) (bool, error) {
	_, err := s.api.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.tables.Batches, Key: reportKey(of),
		// One's own lease: the SDK may have repeated a call whose answer was lost.
		ConditionExpression: aws.String("attribute_not_exists(#done) AND (attribute_not_exists(#lease) OR #lease <= :now OR #by = :holder)"),
		UpdateExpression:    aws.String("SET #by = :holder, #lease = :until, #ttl = :ttl"),
		ExpressionAttributeNames: map[string]string{
			"#done": doneAttr, "#lease": "lease_until", "#by": "by", "#ttl": "ttl",
		},
		ExpressionAttributeValues: item{
			":now": millis(now), ":holder": str(holder), ":until": millis(until), ":ttl": num(now.Add(reportTTL).Unix()),
		},
	})
	if _, ok := refused(err); ok {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("claim the report of %s: %w", of.Format(time.DateOnly), err)
	}
	return true, nil
}

// MarkReported notes that holder has published the report of a day, and what it
// counted. It tells false if somebody else has taken the report over.
func (s *Store) MarkReported(ctx context.Context, of time.Time, holder string, r mailing.Reported) (bool, error) {
	counts := make(map[string]countsItem, len(r.Counts))
	for id, c := range r.Counts {
		counts[strconv.FormatUint(uint64(id), 10)] = encodeCounts(c)
	}
	encoded, err := attributevalue.Marshal(counts)
	if err != nil {
		return false, fmt.Errorf("encode the report of %s: %w", of.Format(time.DateOnly), err)
	}
	_, err = s.api.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.tables.Batches, Key: reportKey(of),
		ConditionExpression:       aws.String("#by = :holder"),
		UpdateExpression:          aws.String("SET #done = :at, #counts = :counts"),
		ExpressionAttributeNames:  map[string]string{"#by": "by", "#done": doneAttr, "#counts": "counts"},
		ExpressionAttributeValues: item{":holder": str(holder), ":at": millis(r.At), ":counts": encoded},
	})
	if _, ok := refused(err); ok {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("mark the report of %s: %w", of.Format(time.DateOnly), err)
	}
	return true, nil
}

// LastReported is what the newest report of the days before one remembers, up to
// [mailing.ReportMemory] of them; the zero [mailing.Reported] if there is none.
func (s *Store) LastReported(ctx context.Context, before time.Time) (mailing.Reported, error) {
	for n := 1; n <= mailing.ReportMemory; n++ {
		r, err := s.reported(ctx, before.AddDate(0, 0, -n))
		if err != nil || !r.At.IsZero() {
			return r, err
		}
	}
	return mailing.Reported{}, nil
}

func (s *Store) reported(ctx context.Context, of time.Time) (mailing.Reported, error) {
	out, err := s.api.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.tables.Batches, Key: reportKey(of), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return mailing.Reported{}, fmt.Errorf("read the report of %s: %w", of.Format(time.DateOnly), err)
	}
	var it reportItem
	if err := attributevalue.UnmarshalMap(out.Item, &it); err != nil {
		return mailing.Reported{}, fmt.Errorf("decode the report of %s: %w", of.Format(time.DateOnly), err)
	}
	if it.DoneAt == 0 {
		return mailing.Reported{}, nil
	}
	r := mailing.Reported{At: fromMillis(it.DoneAt), Counts: make(map[mailing.MailingID]mailing.Counts, len(it.Counts))}
	for written, counts := range it.Counts {
		id, err := strconv.ParseUint(written, 10, 32)
		if err != nil {
			return mailing.Reported{}, fmt.Errorf("decode the report of %s: %w", of.Format(time.DateOnly), err)
		}
		r.Counts[mailing.MailingID(id)] = counts.decode()
	}
	return r, nil
}

// reportPages is how many DynamoDB pages (of 1 MB, and at least one per thousand
// ids) are read for a report: that takes seconds, and is 100,000 mailings or
// more.
const reportPages = 100

// ChangedSince reads the mailings that are not finished, and those of the others
// that have changed at an instant or later, in no particular order. One that
// cannot be read is logged and left out: it must not keep the others unreported.
// unread is the id below which finished ones were not looked for, 0 if they all
// were.
func (s *Store) ChangedSince(ctx context.Context, since time.Time) (ms []mailing.Mailing, unread mailing.MailingID, err error) {
	found := map[mailing.MailingID]mailing.Mailing{}
	// The live ones first: one that is finished meanwhile is found as that below.
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
	filter := expression.Name("updated_at").GreaterThanEqual(expression.Value(since.UnixMilli()))
	for pages := reportPages; next > 0 && pages > 0; {
		down := s.downFrom(next, "", maxInPart, pages)
		down.filter = &filter
		part, err := s.walk(ctx, down)
		if err != nil {
			return nil, 0, fmt.Errorf("read the mailings that changed, from %d downwards: %w", next, err)
		}
		pages -= part.pages
		for _, it := range part.items {
			m, err := decodeMailing(it)
			if err != nil {
				slog.ErrorContext(ctx, "a mailing that cannot be read is not in the report", "error", err)
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

// maxInPart is more than a partition of mailings holds, so that a walk reads
// pages as large as they come.
const maxInPart = 100_000
