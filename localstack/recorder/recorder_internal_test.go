package recorder

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCallsAreToldAsIAMKnowsThem(t *testing.T) {
	var paths []string
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		paths = append(paths, r.URL.Path)
		_, _ = w.Write(body)
	}))
	defer target.Close()
	endpoint, err := url.Parse(target.URL)
	if err != nil {
		t.Fatal(err)
	}
	var direct []string
	dynamoDB := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		direct = append(direct, r.URL.Path)
		_, _ = w.Write(body)
	}))
	defer dynamoDB.Close()
	port := dynamoDB.URL[strings.LastIndexByte(dynamoDB.URL, ':')+1:]
	recorder := New(endpoint, log.New(io.Discard, "", 0))
	server := httptest.NewServer(recorder)
	defer server.Close()

	const dynamo, sqs = "DynamoDB_20120810.", "AmazonSQS."
	for _, c := range []struct{ function, target, body string }{
		{"Api", dynamo + "GetItem", `{"TableName":"T"}`},
		{"Api", dynamo + "GetItem", `{"TableName":"T"}`},
		{"Api", dynamo + "Query", `{"TableName":"T","IndexName":"i"}`},
		{"Api", dynamo + "Query", `{"TableName":"T"}`},
		{"Api", dynamo + "Scan", `{"TableName":"T"}`},
		{"Api", dynamo + "BatchGetItem", `{"RequestItems":{"T":{"Keys":[]},"U":{"Keys":[]}}}`},
		{"Send", dynamo + "TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"T"}},{"Update":{"TableName":"U"}},{"Delete":{"TableName":"T"}},{"ConditionCheck":{"TableName":"U"}},{"Put":{"TableName":"T"}}]}`},
		{"Send/port/" + port, dynamo + "TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"T"}}]}`},
		{"Send", sqs + "SendMessageBatch", `{"QueueUrl":"http://localhost:4566/queue/us-east-1/000000000000/Q"}`},
		{"Send", sqs + "SendMessage", `{"QueueUrl":"http://localhost:4566/queue/us-east-1/000000000000/Q"}`},
		{"Send", sqs + "ChangeMessageVisibilityBatch", `{"QueueUrl":"http://x/Q"}`},
		{"Send", sqs + "DeleteMessageBatch", `{"QueueUrl":"http://x/Q"}`},
		{"Send", sqs + "GetQueueUrl", `{"QueueName":"Q"}`},
		{"Api", "AmazonSSM.GetParameter", `{"Name":"/keys","WithDecryption":true}`},
		{"Send", "", `Action=Publish&Message=m&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A000000000000%3AP&Version=2010-03-31`},
		{"Send", "", `Action=Other`},
	} {
		request, err := http.NewRequest(http.MethodPost, server.URL+"/"+c.function+"/", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Amz-Target", c.target)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if string(got) != c.body {
			t.Errorf("%s: the answer is %q", c.target, got)
		}
	}
	for _, path := range paths {
		if path != "/" {
			t.Errorf("LocalStack was asked for %s, want /", path)
		}
	}
	if diff := cmp.Diff([]string{"/"}, direct); diff != "" {
		t.Errorf("paths of the calls to a port of their own: %s", diff)
	}
	want := []Call{
		{"Api", "dynamodb:BatchGetItem", "T", 1},
		{"Api", "dynamodb:BatchGetItem", "U", 1},
		{"Api", "dynamodb:GetItem", "T", 2},
		{"Api", "dynamodb:Query", "T", 1},
		{"Api", "dynamodb:Query", "T/index/i", 1},
		{"Api", "dynamodb:Scan", "T", 1},
		{"Api", "ssm:GetParameter", "/keys", 1},
		{"Send", "POST /Send/", "", 1},
		{"Send", "dynamodb:ConditionCheckItem", "U", 1},
		{"Send", "dynamodb:DeleteItem", "T", 1},
		{"Send", "dynamodb:GetItem", "T", 1},
		{"Send", "dynamodb:PutItem", "T", 2},
		{"Send", "dynamodb:UpdateItem", "U", 1},
		{"Send", "sns:Publish", "P", 1},
		{"Send", "sqs:ChangeMessageVisibility", "Q", 1},
		{"Send", "sqs:DeleteMessage", "Q", 1},
		{"Send", "sqs:GetQueueUrl", "Q", 1},
		{"Send", "sqs:SendMessage", "Q", 2},
	}
	if diff := cmp.Diff(want, recorder.Calls()); diff != "" {
		t.Error(diff)
	}
}
