// Package queue is the interface to SQS: tasks for the scheduler, deliveries for the
// sender, and dead letters.
//
// Queues are accelerators. A table holds everything that is in them, too. So an entry
// that is lost comes back later, and an entry that comes twice does no harm.
package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"

	"postrider/internal/clock"
)

// API is the part of the SQS client that this package calls.
type API interface {
	SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
	ChangeMessageVisibilityBatch(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
}

const (
	// batchLimit is the maximum number of messages that SQS takes in one call.
	batchLimit = 10
	// sendConcurrency is the maximum number of concurrent calls.
	sendConcurrency = 8
	// sendTries is how often entries are sent that SQS refuses one by one. The SDK does
	// not repeat those.
	sendTries = 4
	sendWait  = 50 * time.Millisecond
)

// message is one message on its way into a queue.
type message struct {
	body any
	// group is the SQS message group, between which fair queues are fair: the mailing.
	group string
	delay time.Duration
}

// send puts messages into a queue, ten in a call. A call that fails does not stop the
// others. The error joins those of all calls, each with the number of its messages that
// may be missing from the queue.
func send(ctx context.Context, api API, url string, messages []message) error {
	chunks := slices.Collect(slices.Chunk(messages, batchLimit))
	errs := make([]error, len(chunks))
	var group errgroup.Group
	group.SetLimit(sendConcurrency)
	for i, chunk := range chunks {
		group.Go(func() error {
			errs[i] = sendChunk(ctx, api, url, chunk)
			return nil
		})
	}
	_ = group.Wait() // its functions return no errors; they are in errs
	return errors.Join(errs...)
}

func sendChunk(ctx context.Context, api API, url string, chunk []message) error {
	entries, err := encode(chunk)
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		out, err := api.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries})
		if err != nil {
			return fmt.Errorf("send %d messages: %w", len(entries), err)
		}
		if len(out.Failed) == 0 {
			return nil
		}
		if try == sendTries-1 {
			return fmt.Errorf("send %d messages: %w", len(out.Failed), refusal(out.Failed))
		}
		entries = refusedEntries(entries, out.Failed)
		if err := clock.Sleep(ctx, time.Duration(rand.Int64N(int64(sendWait<<try)))); err != nil { //nolint:gosec // G404: jitter needs no secrecy
			return fmt.Errorf("send %d messages again: %w", len(entries), err)
		}
	}
}

func encode(chunk []message) ([]types.SendMessageBatchRequestEntry, error) {
	entries := make([]types.SendMessageBatchRequestEntry, len(chunk))
	for i, m := range chunk {
		body, err := json.Marshal(m.body)
		if err != nil {
			return nil, fmt.Errorf("encode a message: %w", err)
		}
		entries[i] = types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(string(body)),
			MessageGroupId: aws.String(m.group), DelaySeconds: seconds(m.delay),
		}
	}
	return entries, nil
}

// refusedEntries returns the entries that SQS did not take.
func refusedEntries(entries []types.SendMessageBatchRequestEntry, failed []types.BatchResultErrorEntry) []types.SendMessageBatchRequestEntry {
	ids := make(map[string]bool, len(failed))
	for _, f := range failed {
		ids[aws.ToString(f.Id)] = true
	}
	var again []types.SendMessageBatchRequestEntry
	for _, e := range entries {
		if ids[aws.ToString(e.Id)] {
			again = append(again, e)
		}
	}
	return again
}

func refusal(failed []types.BatchResultErrorEntry) error {
	return errors.New("the queue refused: " + aws.ToString(failed[0].Code))
}

// seconds returns d in whole seconds, rounded up: a delivery that comes too early is
// refused, and has to wait for the sweep.
func seconds(d time.Duration) int32 {
	return int32((d + time.Second - 1) / time.Second) //nolint:gosec // G115: delays are at most 12 hours
}
