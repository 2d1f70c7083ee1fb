package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
	"postrider/internal/queue"
)

// calls is an SQS that keeps the messages that were sent. It refuses the entries that
// refuse selects.
type calls struct {
	mu     sync.Mutex
	sent   []types.SendMessageBatchRequestEntry
	hidden []types.ChangeMessageVisibilityBatchRequestEntry
	to     []string // the URLs of the queues
	calls  int
	refuse func(call int, e types.SendMessageBatchRequestEntry) bool
	err    error
}

func (c *calls) SendMessageBatch(_ context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	c.calls++
	c.to = append(c.to, aws.ToString(in.QueueUrl))
	out := &sqs.SendMessageBatchOutput{}
	for _, e := range in.Entries {
		if c.refuse != nil && c.refuse(c.calls, e) {
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("InternalError")})
			continue
		}
		c.sent = append(c.sent, e)
	}
	return out, nil
}

func (c *calls) ChangeMessageVisibilityBatch(_ context.Context, in *sqs.ChangeMessageVisibilityBatchInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hidden = append(c.hidden, in.Entries...)
	return &sqs.ChangeMessageVisibilityBatchOutput{}, nil
}

func (c *calls) bodies() map[string]int {
	times := map[string]int{}
	for _, e := range c.sent {
		times[*e.MessageBody]++
	}
	return times
}

// urls returns the queues that messages were sent to.
func (c *calls) urls() []string {
	return slices.Compact(slices.Sorted(slices.Values(c.to)))
}

func batchKeys(n int) []mailing.BatchKey {
	keys := make([]mailing.BatchKey, n)
	for i := range keys {
		keys[i] = mailing.BatchKey{Mailing: 7, Slice: 3, Batch: mailing.BatchID{First: 19, N: i}}
	}
	return keys
}

func TestBatchesAreQueuedTenACallInTheirMailingsGroup(t *testing.T) {
	api := &calls{}
	if err := queue.NewDeliveries(api, "url").Queue(t.Context(), batchKeys(25), 1500*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if api.calls != 3 || len(api.bodies()) != 25 {
		t.Errorf("%d calls, %d bodies", api.calls, len(api.bodies()))
	}
	for _, e := range api.sent {
		if *e.MessageGroupId != "7" || e.DelaySeconds != 2 {
			t.Errorf("group %s, delay %d s", *e.MessageGroupId, e.DelaySeconds)
		}
	}
}

func TestRefusedEntriesAreSentAgainAndNoOthers(t *testing.T) {
	api := &calls{refuse: func(call int, e types.SendMessageBatchRequestEntry) bool { return call <= 2 && *e.Id == "4" }}
	if err := queue.NewDeliveries(api, "url").Queue(t.Context(), batchKeys(10), 0); err != nil {
		t.Fatal(err)
	}
	for body, times := range api.bodies() {
		if times != 1 {
			t.Errorf("%s was sent %d times", body, times)
		}
	}
	if api.calls != 3 || len(api.sent) != 10 {
		t.Errorf("%d calls, %d entries", api.calls, len(api.sent))
	}
}

func TestAQueueThatKeepsRefusingIsAnError(t *testing.T) {
	api := &calls{refuse: func(_ int, e types.SendMessageBatchRequestEntry) bool { return *e.Id == "4" }}
	if err := queue.NewDeliveries(api, "url").Queue(t.Context(), batchKeys(10), 0); err == nil {
		t.Error("no error")
	}
	broken := &calls{err: errors.New("broken")}
	if err := queue.NewDeliveries(broken, "url").Queue(t.Context(), batchKeys(1), 0); !errors.Is(err, broken.err) {
		t.Errorf("got %v", err)
	}
}

func TestATaskForTheWholeMailingIsDelayedUntilTheStart(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	at := func(start time.Time) mailing.Mailing {
		return mailing.Mailing{ID: 7, Status: mailing.StatusScheduled, Draft: mailing.Draft{StartAt: start, EndAt: start.Add(time.Hour)}}
	}
	for name, test := range map[string]struct {
		start time.Time
		tasks int
		delay int32
	}{
		"at once":       {now, 1, 0},
		"soon":          {now.Add(90500 * time.Millisecond), 1, 90},
		"in an hour":    {now.Add(time.Hour), 0, 0},
		"in 15 minutes": {now.Add(15 * time.Minute), 1, 900},
	} {
		api := &calls{}
		tasks := queue.NewTasks(api, "url", func() time.Time { return now })
		if err := tasks.QueueTasks(t.Context(), at(test.start)); err != nil {
			t.Fatal(err)
		}
		if len(api.bodies()) != test.tasks {
			t.Errorf("%s: %d tasks", name, len(api.bodies()))
		}
		for _, e := range api.sent {
			if e.DelaySeconds != test.delay {
				t.Errorf("%s: delay %d s", name, e.DelaySeconds)
			}
		}
	}
}

// worker answers each delivery as the test case wants.
type worker struct {
	got    []mailing.Delivery
	answer []mailing.Handling
}

func (w *worker) Deliver(_ context.Context, deliveries []mailing.Delivery) []mailing.Handling {
	w.got = deliveries
	return w.answer[:len(deliveries)]
}

func record(id, body, receives string) events.SQSMessage {
	return events.SQSMessage{
		MessageId: id, ReceiptHandle: "handle-" + id, Body: body,
		Attributes: map[string]string{"ApproximateReceiveCount": receives},
	}
}

// queued returns the body of a batch in the queue.
func queued(t *testing.T, k mailing.BatchKey) string {
	t.Helper()
	api := &calls{}
	if err := queue.NewDeliveries(api, "url").Queue(t.Context(), []mailing.BatchKey{k}, 0); err != nil {
		t.Fatal(err)
	}
	return *api.sent[0].MessageBody
}

func TestAnEventBecomesDeliveriesAndReturnedOnesAreHidden(t *testing.T) {
	keys := batchKeys(3)
	w := &worker{answer: []mailing.Handling{{}, {Again: true, After: 2500 * time.Millisecond}, {Again: true}}}
	api := &calls{}
	handle := queue.NewDeliveries(api, "url").Handler(w, queue.NewDeadLetters(&calls{}, "dead"))
	response, err := handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{
		record("a", queued(t, keys[0]), "1"), record("b", queued(t, keys[1]), "7"), record("c", queued(t, keys[2]), ""),
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []mailing.Delivery{{Key: keys[0], Receives: 1}, {Key: keys[1], Receives: 7}, {Key: keys[2], Receives: 1}}
	if diff := cmp.Diff(want, w.got); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	failures := []events.SQSBatchItemFailure{{ItemIdentifier: "b"}, {ItemIdentifier: "c"}}
	if diff := cmp.Diff(failures, response.BatchItemFailures); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	hidden := map[string]int32{}
	for _, e := range api.hidden {
		hidden[*e.ReceiptHandle] = e.VisibilityTimeout
	}
	if diff := cmp.Diff(map[string]int32{"handle-b": 3, "handle-c": 1}, hidden); diff != "" {
		t.Errorf("visibility timeouts (-want +got):\n%s", diff)
	}
}

func TestTheBatchOfATestMessageIsDelivered(t *testing.T) {
	key := mailing.TestBatch(5, mailing.Test{Mailing: 7, Phone: "79001234567"}, noon).Key
	w, dead := &worker{answer: make([]mailing.Handling, 1)}, &calls{}
	handle := queue.NewDeliveries(&calls{}, "url").Handler(w, queue.NewDeadLetters(dead, "dead"))
	response, err := handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{record("a", queued(t, key), "1")}})
	if err != nil || len(response.BatchItemFailures) > 0 || len(dead.sent) > 0 {
		t.Errorf("%v, %v, %d dead letters", response, err, len(dead.sent))
	}
	if diff := cmp.Diff([]mailing.Delivery{{Key: key, Receives: 1}}, w.got); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

func TestNoFailuresAreAnEmptyListNeverNull(t *testing.T) {
	handle := queue.NewDeliveries(&calls{}, "url").Handler(&worker{}, queue.NewDeadLetters(&calls{}, "dead"))
	response, err := handle(t.Context(), events.SQSEvent{})
	encoded, encodeErr := json.Marshal(response)
	if err != nil || encodeErr != nil || string(encoded) != `{"batchItemFailures":[]}` {
		t.Errorf("%s, %v, %v", encoded, err, encodeErr)
	}
}

func TestABodyThatCannotBeReadIsADeadLetter(t *testing.T) {
	bad := []string{"", "{}", "nonsense", `{"slice":3,"batch":"0000000019#000"}`, `{"mailing_id":7,"slice":16,"batch":"0000000019#000"}`, `{"mailing_id":7,"slice":3,"batch":"19"}`}
	for _, body := range bad {
		dead := &calls{}
		w := &worker{answer: make([]mailing.Handling, 1)}
		handle := queue.NewDeliveries(&calls{}, "url").Handler(w, queue.NewDeadLetters(dead, "dead"))
		good := queued(t, batchKeys(1)[0])
		response, err := handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{record("a", body, "1"), record("b", good, "1")}})
		if err != nil || len(response.BatchItemFailures) != 0 {
			t.Errorf("%q: %v, %v", body, response, err)
		}
		if len(w.got) != 1 || len(dead.sent) != 1 {
			t.Errorf("%q: %d delivered, %d dead letters", body, len(w.got), len(dead.sent))
		}
	}
	// If that fails too, the message stays in the queue.
	handle := queue.NewDeliveries(&calls{}, "url").Handler(&worker{}, queue.NewDeadLetters(&calls{err: errors.New("broken")}, "dead"))
	response, err := handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{record("a", "nonsense", "1")}})
	if err != nil || len(response.BatchItemFailures) != 1 {
		t.Errorf("%v, %v", response, err)
	}
}

func TestADeadLetterSaysWhichMessageAndWhy(t *testing.T) {
	api := &calls{}
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	letter := mailing.DeadLetter{Message: mailing.NewMessageID(7, 19), Reason: "http_400", Attempts: 1, At: at}
	if err := queue.NewDeadLetters(api, "url").Queue(t.Context(), []mailing.DeadLetter{letter}); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"message_id":%d,"mailing_id":7,"client_id":19,"reason":"http_400","attempts":1,"at":"2026-03-02T12:00:00Z"}`, letter.Message)
	if got := *api.sent[0].MessageBody; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// scheduler records the work that it is called for.
type scheduler struct {
	sweeps, reports int
	tasks           []mailing.Task
	replans         []time.Time
	fail            func(mailing.Task) error
}

func (s *scheduler) Sweep(context.Context) error { s.sweeps++; return nil }

func (s *scheduler) Replan(_ context.Context, until time.Time) error {
	s.replans = append(s.replans, until)
	return errors.New("left to the next sweep")
}

func (s *scheduler) Report(context.Context) error { s.reports++; return nil }

func (s *scheduler) Do(_ context.Context, tasks []mailing.Task) []error {
	s.tasks = append(s.tasks, tasks...)
	errs := make([]error, len(tasks))
	for i, task := range tasks {
		if s.fail != nil {
			errs[i] = s.fail(task)
		}
	}
	return errs
}

func TestATaskIsReadAsItWasQueued(t *testing.T) {
	want := []mailing.Task{
		{Mailing: 7, Slice: 0},
		{Mailing: 7, Slice: 15},
		{Mailing: 7, Slice: mailing.AllSlices},
		{Mailing: mailing.TestMailing, Slice: 3},
		{Mailing: mailing.TestMailing, Slice: mailing.AllSlices},
	}
	api := &calls{}
	if err := queue.NewTasks(api, "url", time.Now).Queue(t.Context(), want, 0); err != nil {
		t.Fatal(err)
	}
	var records []events.SQSMessage
	for i, e := range api.sent {
		records = append(records, record(strconv.Itoa(i), *e.MessageBody, "1"))
	}
	event, err := json.Marshal(events.SQSEvent{Records: records})
	if err != nil {
		t.Fatal(err)
	}
	s := &scheduler{}
	if response, err := queue.SchedulerHandler(s, s)(t.Context(), event); err != nil || len(response.BatchItemFailures) > 0 || s.sweeps > 0 {
		t.Errorf("%v, %v, %d sweeps", response, err, s.sweeps)
	}
	if diff := cmp.Diff(want, s.tasks); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
}

func TestAReplanIsReadAsItWasQueued(t *testing.T) {
	api := &calls{}
	until := time.Date(2026, 3, 2, 12, 0, 0, 1_000_000, time.UTC)
	if err := queue.NewTasks(api, "url", time.Now).QueueReplan(t.Context(), until); err != nil {
		t.Fatal(err)
	}
	event, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{record("a", *api.sent[0].MessageBody, "1")}})
	if err != nil {
		t.Fatal(err)
	}
	s := &scheduler{}
	// The next sweep finds the edits that are left, and queues another replan.
	response, err := queue.SchedulerHandler(s, s)(t.Context(), event)
	if err != nil || len(response.BatchItemFailures) > 0 || s.sweeps > 0 || len(s.tasks) > 0 {
		t.Errorf("%v, %v, %d sweeps, %d tasks", response, err, s.sweeps, len(s.tasks))
	}
	if len(s.replans) != 1 || !s.replans[0].Equal(until) {
		t.Errorf("asked for until %v, want %s", s.replans, until)
	}
}

func TestACallThatFailsDoesNotStopTheOthers(t *testing.T) {
	api := &failsTwice{}
	err := queue.NewDeliveries(api, "url").Queue(t.Context(), batchKeys(95), 0)
	if err == nil || !strings.Contains(err.Error(), "broken 1") || !strings.Contains(err.Error(), "broken 2") {
		t.Errorf("the error is %v, not that of each failed call", err)
	}
	if n := len(api.sent); n < 75 {
		t.Errorf("%d of the other 75 or more were sent", n)
	}
}

// failsTwice is an SQS whose first two calls fail.
type failsTwice struct {
	calls

	made atomic.Int64
}

func (f *failsTwice) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, o ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	if n := f.made.Add(1); n <= 2 {
		return nil, fmt.Errorf("broken %d", n)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return f.calls.SendMessageBatch(ctx, in, o...)
}

func TestTheSchedulerDistinguishesItsEvents(t *testing.T) {
	s := &scheduler{fail: func(task mailing.Task) error {
		if task.Slice == 2 {
			return errors.New("broken")
		}
		return nil
	}}
	handle := queue.SchedulerHandler(s, s)
	if _, err := handle(t.Context(), json.RawMessage(`{"source":"aws.events","detail-type":"Scheduled Event","detail":{}}`)); err != nil || s.sweeps != 1 {
		t.Errorf("%d sweeps, %v", s.sweeps, err)
	}
	if _, err := handle(t.Context(), json.RawMessage(`{"report":true}`)); err != nil || s.reports != 1 || s.sweeps != 1 {
		t.Errorf("%d reports, %d sweeps, %v", s.reports, s.sweeps, err)
	}
	event, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{
		record("a", `{"mailing_id":7,"slice":1}`, "1"), record("b", `{"mailing_id":7,"slice":2}`, "1"),
		record("c", `{"mailing_id":7,"slice":16}`, "1"), record("d", `{"sweep":true}`, "1"), record("e", "?", "1"),
		record("f", `{"mailing_id":8}`, "1"), record("g", `{}`, "1"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	response, err := handle(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	failed := make([]string, 0, len(response.BatchItemFailures))
	for _, f := range response.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	if got := strings.Join(failed, " "); got != "c e g b" || s.sweeps != 2 || len(s.tasks) != 3 || s.tasks[2] != (mailing.Task{Mailing: 8, Slice: mailing.AllSlices}) {
		t.Errorf("failed %s, %d sweeps, tasks %v", got, s.sweeps, s.tasks)
	}
	if _, err := handle(t.Context(), json.RawMessage(`[]`)); err == nil {
		t.Error("an event of no kind is taken")
	}
}
