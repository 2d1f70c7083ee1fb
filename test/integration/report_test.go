//go:build integration

package integration_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	domain "postrider/internal/mailing"
)

// notification is the message that a queue gets from a topic.
type notification struct {
	Subject string `json:"Subject"`
	Message string `json:"Message"`
}

// testReport requests the report twice at once and a third time, and checks the
// notifications of a subscriber.
func testReport(t *testing.T, s *service) {
	s.clients(t, "2700", 20, func(_ int, c *client) { c.Tag = "report" })
	s.behave(t, behaviour{})
	m := now("report", filter{Tags: []string{"report"}})
	m.StartAt = domain.ReportDay(time.Now()).Add(12 * time.Hour)
	m = s.create(t, m)
	if i := s.completed(t, m.ID); i.Counts.Sent != 20 {
		t.Fatalf("counts %+v", i.Counts)
	}

	queue := subscriber(t)
	forgetReport(t)
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() { askForReport(t, s) })
	}
	group.Wait()
	askForReport(t, s)

	var got []notification
	poll(t, "the report arrives", func() (bool, string) {
		got = append(got, receive(t, queue, 1)...)
		return len(got) > 0, ""
	})
	if more := receive(t, queue, 3); len(more) > 0 {
		t.Errorf("%d more arrive", len(more))
	}
	day := domain.ReportDay(time.Now()).Format(time.DateOnly)
	if len(got) != 1 || !strings.HasPrefix(got[0].Subject, "Postrider: report of "+day+", ") {
		t.Fatalf("%d notifications: %+v", len(got), got)
	}
	line := []string{strconv.FormatInt(m.ID, 10), "completed", "20", "20", "-", "0", "0", "0", "0", "0", "0"}
	if !strings.Contains(strings.Join(strings.Fields(got[0].Message), " "), " "+strings.Join(line, " ")+" ") {
		t.Errorf("no line %v in\n%s", line, got[0].Message)
	}
	figure(t, "asked for three times, two of them at once, the report arrived once: %s", got[0].Subject)
}

// subscriber creates a queue that subscribes to the topic of reports, and returns its
// URL.
func subscriber(t *testing.T) string {
	t.Helper()
	queues := sqs.NewFromConfig(running.Config())
	made, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("report-subscriber")})
	if err != nil {
		t.Fatal(err)
	}
	about, err := queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: made.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sns.NewFromConfig(running.Config()).Subscribe(t.Context(), &sns.SubscribeInput{
		TopicArn: aws.String(running.PhysicalID("ReportTopic")), Protocol: aws.String("sqs"), Endpoint: aws.String(about.Attributes["QueueArn"]),
	}); err != nil {
		t.Fatal(err)
	}
	return *made.QueueUrl
}

// forgetReport removes the record of the day: the schedule may have run before this test.
func forgetReport(t *testing.T) {
	t.Helper()
	day := domain.ReportDay(time.Now()).Format(time.DateOnly)
	if _, err := dynamodb.NewFromConfig(running.Config()).DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
		TableName: aws.String(running.PhysicalID("BatchesTable")),
		Key: map[string]dynamodbtypes.AttributeValue{
			"part": &dynamodbtypes.AttributeValueMemberS{Value: "report#" + day}, "id": &dynamodbtypes.AttributeValueMemberS{Value: "report"},
		},
	}); err != nil {
		t.Fatal(err)
	}
}

// askForReport invokes the scheduler as the report's schedule does. The SDK's client of
// Lambda would be a dependency for this one request.
func askForReport(t *testing.T, s *service) {
	t.Helper()
	path := "/2015-03-31/functions/" + running.PhysicalID("SchedulerFunction") + "/invocations"
	got, err := s.askWith(t.Context(), http.MethodPost, running.EndpointURL+path, `{"report": true}`, map[string]string{
		"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=none",
	})
	if err != nil || got.status != http.StatusOK || got.header.Get("X-Amz-Function-Error") != "" {
		t.Errorf("call the scheduler: status %d, %v, %s", got.status, err, got.body)
	}
}

// receive returns the messages of a queue. It waits some seconds for the first one.
func receive(t *testing.T, queue string, seconds int32) []notification {
	t.Helper()
	out, err := sqs.NewFromConfig(running.Config()).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &queue, MaxNumberOfMessages: 10, WaitTimeSeconds: seconds, VisibilityTimeout: 600,
	})
	if err != nil {
		t.Fatal(err)
	}
	all := make([]notification, len(out.Messages))
	for i, m := range out.Messages {
		if err := json.Unmarshal([]byte(*m.Body), &all[i]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
