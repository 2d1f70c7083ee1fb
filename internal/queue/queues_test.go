package queue_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postrider/internal/mailing"
	"postrider/internal/queue"
)

// box is an SQS with dead letters in it. Each is received once, then hidden.
type box struct {
	calls

	mu         sync.Mutex
	letters    []types.Message
	received   []sqs.ReceiveMessageInput
	removed    []string
	depths     map[string]map[string]string // by queue and attribute
	refuse     func(call int) error         // for ReceiveMessage
	refuseOnly func(handle string) bool     // for DeleteMessageBatch
	deleteErr  func(call int) error
	deletes    int
}

func (b *box) GetQueueAttributes(_ context.Context, in *sqs.GetQueueAttributesInput, _ ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	all, ok := b.depths[*in.QueueUrl]
	if !ok {
		return nil, errors.New("no queue " + *in.QueueUrl)
	}
	asked := maps.Clone(all)
	maps.DeleteFunc(asked, func(name, _ string) bool { return !slices.Contains(in.AttributeNames, types.QueueAttributeName(name)) })
	return &sqs.GetQueueAttributesOutput{Attributes: asked}, nil
}

func (b *box) ReceiveMessage(_ context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.received = append(b.received, *in)
	if b.refuse != nil {
		if err := b.refuse(len(b.received)); err != nil {
			return nil, err
		}
	}
	n := min(len(b.letters), int(in.MaxNumberOfMessages))
	some := b.letters[:n]
	b.letters = b.letters[n:]
	return &sqs.ReceiveMessageOutput{Messages: some}, nil
}

func (b *box) DeleteMessageBatch(_ context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deletes++
	if b.deleteErr != nil {
		if err := b.deleteErr(b.deletes); err != nil {
			return nil, err
		}
	}
	ids := map[string]bool{}
	out := &sqs.DeleteMessageBatchOutput{}
	for _, e := range in.Entries {
		if ids[*e.Id] || len(in.Entries) > 10 || *in.QueueUrl != urls.DeadLetters {
			return nil, errors.New("SQS takes no such call")
		}
		ids[*e.Id] = true
		if b.refuseOnly != nil && b.refuseOnly(*e.ReceiptHandle) {
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("ReceiptHandleIsInvalid")})
			continue
		}
		b.removed = append(b.removed, *e.ReceiptHandle)
	}
	return out, nil
}

var urls = queue.URLs{Tasks: "tasks-url", Deliveries: "deliveries-url", DeadLetters: "dead-url", DeadTasks: "dead-tasks-url"}

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// letter returns a dead letter as SQS delivers it.
func letter(n int, body string) types.Message {
	return types.Message{
		ReceiptHandle: aws.String("handle-" + strconv.Itoa(n)), Body: &body,
		Attributes: map[string]string{"SentTimestamp": strconv.FormatInt(noon.UnixMilli(), 10)},
	}
}

func manyLetters(n int) []types.Message {
	all := make([]types.Message, n)
	for i := range all {
		all[i] = letter(i, "nonsense")
	}
	return all
}

// handles returns the handles of letters in their order, without repetition.
func handles(letters []mailing.StoredLetter) []string {
	var all []string
	for _, l := range letters {
		all = append(all, l.Handle)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestTheDepthOfEachQueueIsReturned(t *testing.T) {
	attributes := func(waiting, inFlight, delayed string) map[string]string {
		return map[string]string{
			"ApproximateNumberOfMessages": waiting, "ApproximateNumberOfMessagesNotVisible": inFlight, "ApproximateNumberOfMessagesDelayed": delayed,
			"VisibilityTimeout": "180",
		}
	}
	api := &box{depths: map[string]map[string]string{
		urls.Tasks: attributes("1", "2", "3"), urls.Deliveries: attributes("40", "50", "60"), urls.DeadLetters: attributes("0", "0", "0"), urls.DeadTasks: attributes("7", "8", "0"),
	}}
	got, err := queue.NewQueues(api, urls).Depths(t.Context())
	want := []mailing.QueueDepth{
		{Name: "tasks", Waiting: 1, InFlight: 2, Delayed: 3},
		{Name: "deliveries", Waiting: 40, InFlight: 50, Delayed: 60},
		{Name: "dead-letters"},
		{Name: "dead-tasks", Waiting: 7, InFlight: 8},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestAMissingDepthIsAnErrorAndNotZero(t *testing.T) {
	all := func() map[string]map[string]string {
		depths := map[string]map[string]string{}
		for _, url := range []string{urls.Tasks, urls.Deliveries, urls.DeadLetters, urls.DeadTasks} {
			depths[url] = map[string]string{
				"ApproximateNumberOfMessages": "1", "ApproximateNumberOfMessagesNotVisible": "1", "ApproximateNumberOfMessagesDelayed": "1",
			}
		}
		return depths
	}
	for name, spoil := range map[string]func(map[string]map[string]string){
		"a queue that is not there": func(d map[string]map[string]string) { delete(d, urls.Deliveries) },
		"an attribute is missing": func(d map[string]map[string]string) {
			delete(d[urls.Deliveries], "ApproximateNumberOfMessagesDelayed")
		},
		"an attribute is no number": func(d map[string]map[string]string) {
			d[urls.Deliveries]["ApproximateNumberOfMessages"] = "many"
		},
	} {
		depths := all()
		spoil(depths)
		_, err := queue.NewQueues(&box{depths: depths}, urls).Depths(t.Context())
		if err == nil || !strings.Contains(err.Error(), "deliveries") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

func TestADeadLetterIsReadAsWhatItIs(t *testing.T) {
	failure := mailing.DeadLetter{Message: mailing.NewMessageID(7, 19), Reason: "http_400", Attempts: 3, At: noon.Add(time.Millisecond)}
	ofTest := mailing.DeadLetter{Message: mailing.NewMessageID(mailing.TestMailing, 5), Reason: "http_400", Attempts: 1, At: noon}
	delivery := batchKeys(1)[0]
	testDelivery := mailing.TestBatch(5, mailing.Test{}, noon).Key
	buried := func(l mailing.DeadLetter) string {
		api := &calls{}
		if err := queue.NewDeadLetters(api, "url").Queue(t.Context(), []mailing.DeadLetter{l}); err != nil {
			t.Fatal(err)
		}
		return *api.sent[0].MessageBody
	}
	for _, test := range []struct {
		name, body string
		want       mailing.StoredLetter
	}{
		{"a failed message", buried(failure), mailing.StoredLetter{Letter: &failure}},
		{"a failed test message", buried(ofTest), mailing.StoredLetter{Letter: &ofTest}},
		{"a delivery that was received too often", queued(t, delivery), mailing.StoredLetter{Delivery: &delivery}},
		{"the delivery of a test message", queued(t, testDelivery), mailing.StoredLetter{Delivery: &testDelivery}},
		{"a delivery that could not be read", `{"reason":"unreadable","body":"{}"}`, mailing.StoredLetter{}},
		{"a message that there cannot be", `{"message_id":4294967296,"reason":"http_400","attempts":1}`, mailing.StoredLetter{}},
		{"another type in its place", `{"message_id":"7","reason":1}`, mailing.StoredLetter{}},
		{"no JSON", "nonsense", mailing.StoredLetter{}},
		{"nothing", "", mailing.StoredLetter{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.want.Handle, test.want.QueuedAt = "handle-1", noon
			got, err := queue.NewQueues(&box{letters: []types.Message{letter(1, test.body)}}, urls).Take(t.Context(), time.Minute)
			if diff := cmp.Diff([]mailing.StoredLetter{test.want}, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestALetterWithoutItsTimeIsRead(t *testing.T) {
	bare := letter(1, "nonsense")
	bare.Attributes = nil
	got, err := queue.NewQueues(&box{letters: []types.Message{bare}}, urls).Take(t.Context(), time.Minute)
	if diff := cmp.Diff([]mailing.StoredLetter{{Handle: "handle-1"}}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestFiftyLettersAreReceivedAtOnceHiddenForAsLongAsTheyAreNeeded(t *testing.T) {
	for _, test := range []struct {
		name    string
		receive func(*queue.Queues, context.Context) ([]mailing.StoredLetter, error)
		hidden  int32 // seconds
	}{
		{"to be looked at", (*queue.Queues).Peek, 1}, // the SDK does not send a zero
		{"to be removed", func(q *queue.Queues, ctx context.Context) ([]mailing.StoredLetter, error) {
			return q.Take(ctx, time.Minute)
		}, 60},
	} {
		api := &box{letters: manyLetters(70)}
		got, err := test.receive(queue.NewQueues(api, urls), t.Context())
		if err != nil || len(handles(got)) != 50 || len(api.removed) > 0 {
			t.Errorf("%s: %d received, %d removed, %v", test.name, len(handles(got)), len(api.removed), err)
		}
		for _, in := range api.received {
			if *in.QueueUrl != urls.DeadLetters || in.VisibilityTimeout != test.hidden {
				t.Errorf("%s: received from %s, hidden for %d s", test.name, *in.QueueUrl, in.VisibilityTimeout)
			}
		}
	}
}

func TestNoLettersAreTheEnd(t *testing.T) {
	got, err := queue.NewQueues(&box{}, urls).Take(t.Context(), time.Minute)
	if len(got) > 0 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestLettersOfOneCallAreReturnedIfAnotherCallFails(t *testing.T) {
	broken := errors.New("broken")
	first := func(call int) error {
		if call == 1 {
			return broken
		}
		return nil
	}
	api := &box{letters: manyLetters(30), refuse: first}
	if got, err := queue.NewQueues(api, urls).Take(t.Context(), time.Minute); err != nil || len(handles(got)) != 30 {
		t.Errorf("%d letters, %v", len(got), err)
	}
	// Take reports that there are no letters only if the queue could be asked.
	if got, err := queue.NewQueues(&box{refuse: first}, urls).Take(t.Context(), time.Minute); !errors.Is(err, broken) || len(got) > 0 {
		t.Errorf("%d letters, %v", len(got), err)
	}
}

func taken(n int) []mailing.StoredLetter {
	letters := make([]mailing.StoredLetter, n)
	for i := range letters {
		letters[i].Handle = fmt.Sprintf("handle-%02d", i)
	}
	return letters
}

func TestLettersAreRemovedTenACall(t *testing.T) {
	for n, deletes := range map[int]int{0: 0, 1: 1, 10: 1, 11: 2, 25: 3} {
		api := &box{}
		if err := queue.NewQueues(api, urls).Remove(t.Context(), taken(n)); err != nil {
			t.Errorf("%d: %v", n, err)
		}
		if diff := cmp.Diff(handles(taken(n)), api.removed, cmpopts.EquateEmpty()); diff != "" || api.deletes != deletes {
			t.Errorf("%d in %d calls (-want +got):\n%s", n, api.deletes, diff)
		}
	}
}

func TestALetterThatIsNotRemovedIsAnErrorAndStopsNoOther(t *testing.T) {
	api := &box{refuseOnly: func(handle string) bool { return handle == "handle-03" }}
	err := queue.NewQueues(api, urls).Remove(t.Context(), taken(25))
	if err == nil || !strings.Contains(err.Error(), "ReceiptHandleIsInvalid") || len(api.removed) != 24 {
		t.Errorf("%d of the other 24 are removed, %v", len(api.removed), err)
	}
	broken := errors.New("broken")
	api = &box{deleteErr: func(call int) error {
		if call == 1 {
			return broken
		}
		return nil
	}}
	if err := queue.NewQueues(api, urls).Remove(t.Context(), taken(25)); !errors.Is(err, broken) || len(api.removed) != 15 {
		t.Errorf("%d of the other 15 are removed, %v", len(api.removed), err)
	}
}

func TestDeliveriesArePutIntoTheSendersQueueAtOnce(t *testing.T) {
	api := &box{}
	if err := queue.NewQueues(api, urls).Deliver(t.Context(), batchKeys(12)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{urls.Deliveries}, api.urls()); diff != "" || len(api.bodies()) != 12 {
		t.Errorf("%d bodies, queues (-want +got):\n%s", len(api.bodies()), diff)
	}
	for _, e := range api.sent {
		if e.DelaySeconds != 0 {
			t.Errorf("delay %d s", e.DelaySeconds)
		}
	}
	if err := queue.NewQueues(api, urls).Deliver(t.Context(), nil); err != nil {
		t.Errorf("none: %v", err)
	}
}

func TestALetterThatSeveralCallsMeetIsShownOnce(t *testing.T) {
	letters := manyLetters(3)
	for i := range letters {
		letters[i].MessageId = aws.String("the same")
	}
	got, err := queue.NewQueues(&box{letters: letters}, urls).Peek(t.Context())
	if err != nil || len(got) != 1 {
		t.Errorf("%d letters, %v", len(got), err)
	}
}
