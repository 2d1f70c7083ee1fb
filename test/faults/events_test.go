package faults_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"postrider/internal/api"
	"postrider/internal/gateway"
)

// sampleEvent reads the event beside a function's main that `sam local invoke` uses.
func sampleEvent(t *testing.T, function string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "functions", function, "event.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("the event of %s: %v", function, err)
	}
}

func TestTheAPIsSampleEventCreatesAClient(t *testing.T) {
	w := inMemory(t)
	var event events.APIGatewayProxyRequest
	sampleEvent(t, "api", &event)
	answer, err := gateway.New(w.api, api.OwnHeader())(t.Context(), event)
	if err != nil || answer.StatusCode != http.StatusCreated {
		t.Fatalf("status %d, %v: %s", answer.StatusCode, err, answer.Body)
	}
}

func TestTheSchedulersSampleEventIsASweep(t *testing.T) {
	w := inMemory(t)
	w.clients(1)
	m := w.create(nil)
	var event json.RawMessage
	sampleEvent(t, "scheduler", &event)
	response, err := w.scheduler(t.Context(), event)
	if diff := cmp.Diff(events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}, response); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	// The sweep sends the mailing that is due.
	w.drain()
	if counts := w.counts(m.ID); counts.Sent != 1 {
		t.Errorf("the mailing has not gone out: %+v", counts)
	}
}

// TestTheSendersSampleEventIsADelivery demands that the sender can read the event. The
// batch that it names does not exist, so there is nothing more to do.
func TestTheSendersSampleEventIsADelivery(t *testing.T) {
	w := inMemory(t)
	var event events.SQSEvent
	sampleEvent(t, "sender", &event)
	response, err := w.sender(t.Context(), event)
	if diff := cmp.Diff(events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}, response); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if letters := w.queues.receive(lettersURL, 10); len(letters) != 0 {
		t.Errorf("it is taken for unreadable: %d dead letters", len(letters))
	}
}
