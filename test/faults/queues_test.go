package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/queue"
)

// The addresses of the queues.
const (
	tasksURL      = "tasks"
	deliveriesURL = "deliveries"
	lettersURL    = "dead-letters"
)

// maxReceives is the value that template.yaml gives the deliveries queue.
const maxReceives = 20

// queues implements the parts of SQS that the functions use, with a clock that a test
// moves. Like SQS it delivers messages again that were not deleted in time, and moves
// messages that were received too often to a dead-letter queue.
type queues struct {
	clock *dynamotest.Clock
	mu    sync.Mutex
	lines map[string]*line
	count int
	// fair delivers messages by group: those whose group has the fewest messages in
	// flight come first, as with SQS fair queues.
	fair bool
	// refuse lets a call, or single entries of it, fail: see sendFault.
	refuse func(url string, call int) sendFault
	calls  map[string]int
}

// sendFault is the fault of a SendMessageBatch.
type sendFault struct {
	err error
	// entries is how many entries, from the first, are refused one by one.
	entries int
}

type line struct {
	visibility time.Duration
	dead       string // where messages go that were received maxReceives times
	messages   []*message
}

type message struct {
	id       string
	body     string
	group    string
	sent     time.Time
	visible  time.Time
	receives int
}

var _ queue.AdminAPI = (*queues)(nil)

func newQueues(clock *dynamotest.Clock) *queues {
	return &queues{clock: clock, calls: map[string]int{}, lines: map[string]*line{
		tasksURL:      {visibility: 180 * time.Second, dead: "dead-tasks"},
		deliveriesURL: {visibility: 180 * time.Second, dead: lettersURL},
		lettersURL:    {visibility: 30 * time.Second},
		"dead-tasks":  {visibility: 30 * time.Second},
	}}
}

func (q *queues) SendMessageBatch(_ context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	url := aws.ToString(in.QueueUrl)
	q.calls[url]++
	var fault sendFault
	if q.refuse != nil {
		fault = q.refuse(url, q.calls[url])
	}
	if fault.err != nil {
		return nil, fault.err
	}
	if n := len(in.Entries); n == 0 || n > 10 {
		return nil, fmt.Errorf("%d entries", n)
	}
	out := &sqs.SendMessageBatchOutput{}
	for i, e := range in.Entries {
		if i < fault.entries {
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("ServiceUnavailable")})
			continue
		}
		if e.DelaySeconds < 0 || e.DelaySeconds > 900 {
			return nil, fmt.Errorf("a delay of %d s", e.DelaySeconds)
		}
		q.add(url, aws.ToString(e.MessageBody), aws.ToString(e.MessageGroupId), time.Duration(e.DelaySeconds)*time.Second)
	}
	return out, nil
}

func (q *queues) add(url, body, group string, delay time.Duration) {
	q.count++
	now := q.clock.Now()
	q.lines[url].messages = append(q.lines[url].messages, &message{
		id: strconv.Itoa(q.count), body: body, group: group, sent: now, visible: now.Add(delay),
	})
}

// put puts any body into a queue.
func (q *queues) put(url, body string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(url, body, "", 0)
}

// receive returns up to n messages that are visible.
func (q *queues) receive(url string, n int) []*message {
	q.mu.Lock()
	defer q.mu.Unlock()
	l, now := q.lines[url], q.clock.Now()
	if q.fair {
		l.takeTurns(now)
	}
	var got []*message
	l.messages = slices.DeleteFunc(l.messages, func(m *message) bool {
		if m.visible.After(now) || len(got) == n {
			return false
		}
		if l.dead != "" && m.receives >= maxReceives {
			q.lines[l.dead].messages = append(q.lines[l.dead].messages, &message{id: m.id, body: m.body, group: m.group, sent: m.sent, visible: now})
			return true
		}
		m.receives++
		m.visible = now.Add(l.visibility)
		copied := *m
		got = append(got, &copied)
		return false
	})
	return got
}

// takeTurns sorts messages of groups with few messages in flight before those of busy
// groups.
func (l *line) takeTurns(now time.Time) {
	busy := map[string]int{}
	for _, m := range l.messages {
		if m.receives > 0 && m.visible.After(now) {
			busy[m.group]++
		}
	}
	slices.SortStableFunc(l.messages, func(a, b *message) int { return busy[a.group] - busy[b.group] })
}

// handle identifies a message as it was received this time.
func (m *message) handle() string { return fmt.Sprintf("%s/%d", m.id, m.receives) }

// find returns the message with a handle, nil if the handle is not its latest one.
func (q *queues) find(url, handle string) *message {
	for _, m := range q.lines[url].messages {
		if m.handle() == handle {
			return m
		}
	}
	return nil
}

// remove deletes messages that were received.
func (q *queues) remove(url string, handles ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[url]
	l.messages = slices.DeleteFunc(l.messages, func(m *message) bool { return slices.Contains(handles, m.handle()) })
}

func (q *queues) ChangeMessageVisibilityBatch(_ context.Context, in *sqs.ChangeMessageVisibilityBatchInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := &sqs.ChangeMessageVisibilityBatchOutput{}
	for _, e := range in.Entries {
		if m := q.find(aws.ToString(in.QueueUrl), aws.ToString(e.ReceiptHandle)); m != nil {
			m.visible = q.clock.Now().Add(time.Duration(e.VisibilityTimeout) * time.Second)
		} else {
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("ReceiptHandleIsInvalid")})
		}
	}
	return out, nil
}

func (q *queues) ReceiveMessage(_ context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	url := aws.ToString(in.QueueUrl)
	out := &sqs.ReceiveMessageOutput{}
	for _, m := range q.receive(url, int(in.MaxNumberOfMessages)) {
		q.mu.Lock()
		if stored := q.find(url, m.handle()); stored != nil {
			stored.visible = q.clock.Now().Add(time.Duration(in.VisibilityTimeout) * time.Second)
		}
		q.mu.Unlock()
		out.Messages = append(out.Messages, types.Message{
			MessageId: aws.String(m.id), Body: aws.String(m.body), ReceiptHandle: aws.String(m.handle()),
			Attributes: map[string]string{"SentTimestamp": strconv.FormatInt(m.sent.UnixMilli(), 10)},
		})
	}
	return out, nil
}

func (q *queues) DeleteMessageBatch(_ context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	for _, e := range in.Entries {
		q.remove(aws.ToString(in.QueueUrl), aws.ToString(e.ReceiptHandle))
	}
	return &sqs.DeleteMessageBatchOutput{}, nil
}

func (q *queues) GetQueueAttributes(_ context.Context, in *sqs.GetQueueAttributesInput, _ ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	n := strconv.Itoa(q.size(aws.ToString(in.QueueUrl)))
	return &sqs.GetQueueAttributesOutput{Attributes: map[string]string{
		"ApproximateNumberOfMessages": n, "ApproximateNumberOfMessagesNotVisible": "0", "ApproximateNumberOfMessagesDelayed": "0",
	}}, nil
}

// purge removes all messages of a queue, and returns their number.
func (q *queues) purge(url string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.lines[url].messages)
	q.lines[url].messages = nil
	return n
}

func (q *queues) size(url string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.lines[url].messages)
}

// bodies returns the bodies of all messages in a queue.
func (q *queues) bodies(url string) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []string
	for _, m := range q.lines[url].messages {
		all = append(all, m.body)
	}
	return all
}

// repeat puts every message of a queue into it again, and shuffles all of them:
// queues may deliver twice, and in any order.
func (q *queues) repeat(url string, shuffle func(n int, swap func(i, j int))) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[url]
	for _, m := range slices.Clone(l.messages) {
		q.add(url, m.body, m.group, m.visible.Sub(q.clock.Now()))
	}
	shuffle(len(l.messages), func(i, j int) { l.messages[i], l.messages[j] = l.messages[j], l.messages[i] })
}

// next returns when the next message in any of some queues becomes visible, the zero time
// for none.
func (q *queues) next(urls ...string) time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	var first time.Time
	for _, url := range urls {
		for _, m := range q.lines[url].messages {
			if first.IsZero() || m.visible.Before(first) {
				first = m.visible
			}
		}
	}
	return first
}

// event returns the event that Lambda makes of messages.
func event(messages []*message) events.SQSEvent {
	var e events.SQSEvent
	for _, m := range messages {
		e.Records = append(e.Records, events.SQSMessage{
			MessageId: m.id, ReceiptHandle: m.handle(), Body: m.body,
			Attributes: map[string]string{"ApproximateReceiveCount": strconv.Itoa(m.receives)},
		})
	}
	return e
}

// settle deletes the messages that a function has handled, as Lambda does: all but the
// item failures.
func (q *queues) settle(url string, messages []*message, response events.SQSEventResponse) {
	failed := map[string]bool{}
	for _, f := range response.BatchItemFailures {
		failed[f.ItemIdentifier] = true
	}
	for _, m := range messages {
		if !failed[m.id] {
			q.remove(url, m.handle())
		}
	}
}

var errQueue = errors.New("the queue is unavailable")

// shuffled shuffles into a random order.
func shuffled(n int, swap func(i, j int)) { rand.Shuffle(n, swap) }
