package dynamo

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"postrider/internal/mailing"
)

// mailingItem is a mailing as it is stored. Instants are in milliseconds since 1970.
// Counts is set only on a finished mailing: the counts of a live mailing are in its
// slices.
type mailingItem struct {
	Part string `dynamodbav:"part"`
	Sort string `dynamodbav:"id"`

	Text    string `dynamodbav:"text"`
	StartAt int64  `dynamodbav:"start_at"`
	EndAt   int64  `dynamodbav:"end_at"`
	// OperatorCodes and Tags are the filter; an empty list matches every client.
	OperatorCodes []string `dynamodbav:"operator_codes,omitempty"`
	Tags          []string `dynamodbav:"tags,omitempty"`
	WindowFrom    string   `dynamodbav:"window_from,omitempty"`
	WindowTo      string   `dynamodbav:"window_to,omitempty"`
	OnUncertain   string   `dynamodbav:"on_uncertain"`

	Status     string `dynamodbav:"status"`
	Version    int64  `dynamodbav:"version"`
	Generation int64  `dynamodbav:"plan"`
	CreatedAt  int64  `dynamodbav:"created_at"`
	UpdatedAt  int64  `dynamodbav:"updated_at"`
	StartedAt  int64  `dynamodbav:"started_at,omitempty"`
	RetriedAt  int64  `dynamodbav:"retried_at,omitempty"`
	// FailedRetriedAt and UncertainRetriedAt are the retried_at of the last retry of
	// failed and of uncertain messages.
	FailedRetriedAt    int64   `dynamodbav:"failed_retried_at,omitempty"`
	UncertainRetriedAt int64   `dynamodbav:"uncertain_retried_at,omitempty"`
	ResumedAt          int64   `dynamodbav:"resumed_at,omitempty"`
	CancelledAt        int64   `dynamodbav:"cancelled_at,omitempty"`
	PausedBy           string  `dynamodbav:"paused_by,omitempty"`
	RejectedShare      float64 `dynamodbav:"rejected_share,omitempty"`
	ExtendedAt         int64   `dynamodbav:"extended_at,omitempty"`
	GenerationAt       int64   `dynamodbav:"planned_at,omitempty"`

	Finished bool        `dynamodbav:"finished"`
	Deleted  bool        `dynamodbav:"deleted"`
	Counts   *countsItem `dynamodbav:"counts,omitempty"`
}

// encodeMailing returns a mailing as it is stored.
func encodeMailing(m mailing.Mailing) (item, error) {
	it := mailingItem{
		Part: mailingPart(m.ID), Sort: mailingSort(m.ID),
		Text: m.Text, StartAt: m.StartAt.UnixMilli(), EndAt: m.EndAt.UnixMilli(),
		OperatorCodes: m.Filter.OperatorCodes, Tags: m.Filter.Tags, OnUncertain: string(m.OnUncertain),
		Status: string(m.Status), Version: m.Version, Generation: m.Generation,
		CreatedAt: toMillis(m.CreatedAt), UpdatedAt: toMillis(m.UpdatedAt), StartedAt: toMillis(m.StartedAt), RetriedAt: toMillis(m.RetriedAt),
		FailedRetriedAt: toMillis(m.FailedRetriedAt), UncertainRetriedAt: toMillis(m.UncertainRetriedAt), ResumedAt: toMillis(m.ResumedAt), CancelledAt: toMillis(m.CancelledAt),
		PausedBy: string(m.PausedBy), RejectedShare: m.RejectedShare,
		ExtendedAt: toMillis(m.ExtendedAt), GenerationAt: toMillis(m.GenerationAt),
		Finished: m.Finished, Deleted: m.Deleted,
	}
	if m.Window != nil {
		it.WindowFrom, it.WindowTo = m.Window.From.String(), m.Window.To.String()
	}
	// The counts of a live mailing change with each settlement. They are in its slices,
	// so that settlements do not write to the mailing.
	if m.Finished {
		counts := encodeCounts(m.Counts)
		it.Counts = &counts
	}
	encoded, err := attributevalue.MarshalMap(it)
	if err != nil {
		return nil, fmt.Errorf("encode mailing %d: %w", m.ID, err)
	}
	return encoded, nil
}

// decodeMailing reads a mailing from its item. The id comes from the sort key.
func decodeMailing(encoded item) (mailing.Mailing, error) {
	var it mailingItem
	if err := attributevalue.UnmarshalMap(encoded, &it); err != nil {
		return mailing.Mailing{}, fmt.Errorf("decode a mailing: %w", err)
	}
	var id mailing.ID
	if _, err := fmt.Sscanf(it.Sort, "%d", &id); err != nil {
		return mailing.Mailing{}, fmt.Errorf("decode the id of mailing %q: %w", it.Sort, err)
	}
	m := mailing.Mailing{
		ID: id,
		Draft: mailing.Draft{
			Text: it.Text, StartAt: time.UnixMilli(it.StartAt).UTC(), EndAt: time.UnixMilli(it.EndAt).UTC(),
			Filter:      mailing.Filter{OperatorCodes: it.OperatorCodes, Tags: it.Tags},
			OnUncertain: mailing.OnUncertain(it.OnUncertain),
		},
		Status: mailing.Status(it.Status), Version: it.Version, Generation: it.Generation,
		CreatedAt: fromMillis(it.CreatedAt), UpdatedAt: fromMillis(it.UpdatedAt), StartedAt: fromMillis(it.StartedAt), RetriedAt: fromMillis(it.RetriedAt),
		FailedRetriedAt: fromMillis(it.FailedRetriedAt), UncertainRetriedAt: fromMillis(it.UncertainRetriedAt), ResumedAt: fromMillis(it.ResumedAt), CancelledAt: fromMillis(it.CancelledAt),
		PausedBy: mailing.PausedBy(it.PausedBy), RejectedShare: it.RejectedShare,
		ExtendedAt: fromMillis(it.ExtendedAt), GenerationAt: fromMillis(it.GenerationAt),
		Finished: it.Finished, Deleted: it.Deleted,
	}
	if it.WindowFrom != "" {
		window, err := decodeWindow(it.WindowFrom, it.WindowTo)
		if err != nil {
			return mailing.Mailing{}, fmt.Errorf("decode the window of mailing %d: %w", id, err)
		}
		m.Window = window
	}
	if it.Counts != nil {
		m.Counts = it.Counts.decode()
	}
	return m, nil
}

// decodeWindow reads a window from its two clock times.
func decodeWindow(from, to string) (*mailing.Window, error) {
	f, err := mailing.ParseClockTime(from)
	if err != nil {
		return nil, err
	}
	t, err := mailing.ParseClockTime(to)
	if err != nil {
		return nil, err
	}
	return &mailing.Window{From: f, To: t}, nil
}
