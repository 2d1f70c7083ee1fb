package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"postrider/internal/mailing"
)

// Worker works on deliveries and returns the handling of each.
type Worker interface {
	Deliver(ctx context.Context, deliveries []mailing.Delivery) []mailing.Handling
}

// Handler returns the sender's Lambda handler. It decodes an event of the deliveries
// queue into deliveries, and turns their handlings into visibility timeouts and item
// failures.
func (d *Deliveries) Handler(w Worker, dead *DeadLetters) func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) {
	return func(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
		// Never nil: some event sources read a null as the failure of the whole batch.
		failures := []events.SQSBatchItemFailure{}
		var deliveries []mailing.Delivery
		var records []events.SQSMessage
		for _, r := range event.Records {
			k, err := decodeDelivery(r.Body)
			if err == nil {
				deliveries = append(deliveries, mailing.Delivery{Key: k, Receives: receives(r)})
				records = append(records, r)
				continue
			}
			slog.ErrorContext(ctx, "unreadable delivery", "queue_message_id", r.MessageId, "error", err)
			if err := dead.queueUnreadable(ctx, r.Body); err != nil {
				slog.ErrorContext(ctx, "keep an unreadable delivery", "queue_message_id", r.MessageId, "error", err)
				failures = append(failures, events.SQSBatchItemFailure{ItemIdentifier: r.MessageId})
			}
		}
		var back []types.ChangeMessageVisibilityBatchRequestEntry
		for i, h := range w.Deliver(ctx, deliveries) {
			if !h.Again {
				continue
			}
			failures = append(failures, events.SQSBatchItemFailure{ItemIdentifier: records[i].MessageId})
			back = append(back, types.ChangeMessageVisibilityBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &records[i].ReceiptHandle, VisibilityTimeout: max(1, seconds(h.After)),
			})
		}
		d.hide(ctx, back)
		return events.SQSEventResponse{BatchItemFailures: failures}, nil
	}
}

// hide sets when returned deliveries become visible again. If that fails, they come back
// after the queue's own visibility timeout, or by their due_at: only later.
func (d *Deliveries) hide(ctx context.Context, entries []types.ChangeMessageVisibilityBatchRequestEntry) {
	for chunk := range slices.Chunk(entries, batchLimit) {
		out, err := d.api.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &d.url, Entries: chunk})
		if err != nil {
			slog.WarnContext(ctx, "set the visibility timeout of returned deliveries", "deliveries", len(chunk), "error", err)
			continue
		}
		for _, f := range out.Failed {
			slog.WarnContext(ctx, "set the visibility timeout of a returned delivery", "code", aws.ToString(f.Code))
		}
	}
}

func receives(r events.SQSMessage) int {
	n, err := strconv.Atoi(r.Attributes["ApproximateReceiveCount"])
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// Scheduler sweeps and works on tasks. The package schedule implements it.
type Scheduler interface {
	Sweep(ctx context.Context) error
	// Do works on tasks side by side, and returns an error, or nil, for each.
	Do(ctx context.Context, tasks []mailing.Task) []error
	// Replan computes again the waiting times of messages to clients whose zone was edited,
	// for one turn. until is the instant from which that is left to a later
	// sweep.
	Replan(ctx context.Context, until time.Time) error
}

// Reporter publishes the daily report, once a day however often it is called.
type Reporter interface {
	Report(ctx context.Context) error
}

// scheduled is an event of the scheduler. Its fields distinguish the three kinds of
// events.
type scheduled struct {
	Records    []events.SQSMessage `json:"Records"`
	DetailType string              `json:"detail-type"`
	Report     bool                `json:"report"`
}

// SchedulerHandler returns the scheduler's Lambda handler. An event of the rule is a
// sweep. An event of the tasks queue contains tasks. The report's schedule in
// template.yaml sends an event with report set.
func SchedulerHandler(s Scheduler, r Reporter) func(context.Context, json.RawMessage) (events.SQSEventResponse, error) {
	return func(ctx context.Context, raw json.RawMessage) (events.SQSEventResponse, error) {
		response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
		var event scheduled
		if err := json.Unmarshal(raw, &event); err != nil {
			return response, fmt.Errorf("decode the scheduler's event: %w", err)
		}
		switch {
		case event.Report:
			return response, r.Report(ctx)
		case event.DetailType != "":
			return response, s.Sweep(ctx)
		}
		for _, id := range doTasks(ctx, s, event.Records) {
			response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: id})
		}
		return response, nil
	}
}

// doTasks does the work that records ask for, and returns the ids of those that
// SQS has to deliver again.
func doTasks(ctx context.Context, s Scheduler, records []events.SQSMessage) []string {
	var (
		failed []string
		tasks  []mailing.Task
		ids    []string
	)
	for _, r := range records {
		got, err := decodeTask(r.Body)
		switch {
		case err != nil:
			// SQS moves it to the dead tasks after some receives. The sweep makes new
			// tasks.
			slog.ErrorContext(ctx, "unreadable task", "queue_message_id", r.MessageId, "error", err)
			failed = append(failed, r.MessageId)
		case got.sweep:
			if err := s.Sweep(ctx); err != nil {
				slog.ErrorContext(ctx, "sweep failed", "error", err)
				failed = append(failed, r.MessageId)
			}
		case !got.replan.IsZero():
			// The next sweep finds the edits that it leaves undone.
			if err := s.Replan(ctx, got.replan); err != nil {
				slog.ErrorContext(ctx, "plan for edited zones", "error", err)
			}
		default:
			tasks, ids = append(tasks, got.task), append(ids, r.MessageId)
		}
	}
	for i, err := range s.Do(ctx, tasks) {
		if err != nil {
			slog.ErrorContext(ctx, "task failed", "mailing_id", tasks[i].Mailing, "slice", tasks[i].Slice, "error", err)
			failed = append(failed, ids[i])
		}
	}
	return failed
}
