package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

// AdminAPI is the part of the SQS client that is needed to inspect queues.
type AdminAPI interface {
	API
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
}

// URLs holds the URLs of the queues.
type URLs struct {
	Tasks       string
	Deliveries  string
	DeadLetters string
	DeadTasks   string
}

// Queues is all queues, as an operator sees them.
type Queues struct {
	api        AdminAPI
	urls       URLs
	deliveries *Deliveries
}

// NewQueues returns the queues at urls.
func NewQueues(api AdminAPI, urls URLs) *Queues {
	return &Queues{api: api, urls: urls, deliveries: NewDeliveries(api, urls.Deliveries)}
}

// Depths returns the approximate content of the queues.
func (q *Queues) Depths(ctx context.Context) ([]mailing.QueueDepth, error) {
	queues := []struct{ name, url string }{
		{mailing.TasksQueue, q.urls.Tasks},
		{mailing.DeliveriesQueue, q.urls.Deliveries},
		{mailing.DeadLettersQueue, q.urls.DeadLetters},
		{mailing.DeadTasksQueue, q.urls.DeadTasks},
	}
	depths := make([]mailing.QueueDepth, len(queues))
	group, ctx := errgroup.WithContext(ctx)
	for i, one := range queues {
		group.Go(func() (err error) {
			depths[i], err = q.depth(ctx, one.name, one.url)
			return err
		})
	}
	return depths, group.Wait()
}

func (q *Queues) depth(ctx context.Context, name, url string) (mailing.QueueDepth, error) {
	depth := mailing.QueueDepth{Name: name}
	counts := map[types.QueueAttributeName]*int64{
		types.QueueAttributeNameApproximateNumberOfMessages:           &depth.Waiting,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible: &depth.InFlight,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed:    &depth.Delayed,
	}
	in := &sqs.GetQueueAttributesInput{QueueUrl: &url}
	for attribute := range counts {
		in.AttributeNames = append(in.AttributeNames, attribute)
	}
	out, err := q.api.GetQueueAttributes(ctx, in)
	if err != nil {
		return depth, fmt.Errorf("read the depth of the queue of %s: %w", name, err)
	}
	for attribute, count := range counts {
		if *count, err = strconv.ParseInt(out.Attributes[string(attribute)], 10, 64); err != nil {
			return depth, fmt.Errorf("read the depth of the queue of %s: %s: %w", name, attribute, err)
		}
	}
	return depth, nil
}

// Deliver queues batches for the sender.
func (q *Queues) Deliver(ctx context.Context, keys []mailing.BatchKey) error {
	return q.deliveries.Queue(ctx, keys, 0)
}

const (
	// takers is the number of concurrent calls that take dead letters.
	takers = 5
	// peekTime is how long dead letters stay hidden after Peek, in seconds. It is as
	// short as possible: the SDK leaves a zero out of the request, and then the queue's
	// own 30 seconds apply.
	peekTime = 1
	// takeWait is how long one call waits for letters, in seconds: less than an attempt
	// of a call to AWS may take. takeTries is how often Take waits before it reports that
	// there are no letters. A redrive has to receive letters that were just looked at;
	// and if there are only a few letters, SQS may need that time to find them.
	takeWait  = 1
	takeTries = 2
)

// Peek returns some dead letters, at most 50, and leaves them in the queue. For one
// second other calls do not receive them.
func (q *Queues) Peek(ctx context.Context) ([]mailing.StoredLetter, error) {
	return q.receive(ctx, takers, peekTime, 0)
}

// Take takes some dead letters, at most 50, and hides them for a time, in whole seconds of
// at least one. Those that are not removed within it are in the queue again.
func (q *Queues) Take(ctx context.Context, hidden time.Duration) ([]mailing.StoredLetter, error) {
	seconds := int32(hidden / time.Second) //nolint:gosec // G115: it is some seconds
	letters, err := q.receive(ctx, takers, seconds, 0)
	for tries := 0; tries < takeTries && err == nil && len(letters) == 0; tries++ {
		letters, err = q.receive(ctx, 1, seconds, takeWait)
	}
	return letters, err
}

func (q *Queues) receive(ctx context.Context, calls int, hidden, wait int32) ([]mailing.StoredLetter, error) {
	var (
		mu   sync.Mutex
		all  []mailing.StoredLetter
		seen = map[string]bool{}
	)
	var group errgroup.Group // without a context: a failed call must not lose the letters of the others
	for range calls {
		group.Go(func() error {
			out, err := q.api.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
				QueueUrl: &q.urls.DeadLetters, MaxNumberOfMessages: batchLimit, VisibilityTimeout: hidden, WaitTimeSeconds: wait,
				MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSentTimestamp},
			})
			if err != nil {
				return fmt.Errorf("receive dead letters: %w", err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, m := range out.Messages {
				// SQS may deliver one message to several calls.
				id := aws.ToString(m.MessageId)
				if id == "" || !seen[id] {
					all = append(all, decodeLetter(m))
				}
				seen[id] = true
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil && len(all) == 0 {
		return nil, err
	}
	return all, nil
}

func decodeLetter(m types.Message) mailing.StoredLetter {
	stored := mailing.StoredLetter{Handle: aws.ToString(m.ReceiptHandle)}
	if ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64); err == nil {
		stored.QueuedAt = time.UnixMilli(ms).UTC()
	}
	var body deadLetterBody
	if json.Unmarshal([]byte(aws.ToString(m.Body)), &body) == nil && body.Message.Valid() {
		stored.Letter = &mailing.DeadLetter{Message: body.Message, Reason: body.Reason, Attempts: body.Attempts, At: body.At}
		return stored
	}
	if key, err := decodeDelivery(aws.ToString(m.Body)); err == nil {
		stored.Delivery = &key
	}
	return stored
}

// Remove removes dead letters that were taken.
func (q *Queues) Remove(ctx context.Context, letters []mailing.StoredLetter) error {
	var errs []error
	for chunk := range slices.Chunk(letters, batchLimit) {
		in := &sqs.DeleteMessageBatchInput{QueueUrl: &q.urls.DeadLetters}
		for i, l := range chunk {
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(l.Handle)})
		}
		out, err := q.api.DeleteMessageBatch(ctx, in)
		if err == nil && len(out.Failed) > 0 {
			err = refusal(out.Failed)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("remove %d dead letters: %w", len(in.Entries), err))
		}
	}
	return errors.Join(errs...)
}
