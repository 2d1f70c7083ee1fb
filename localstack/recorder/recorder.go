// Package recorder records which AWS calls the functions make. It is a reverse proxy
// between the functions, LocalStack and DynamoDB Local. LocalStack does not enforce IAM,
// so a test compares these calls with the policies in the template.
package recorder

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Call is a kind of call that a function made, in the terms of IAM.
type Call struct {
	Function string // the function's name
	Action   string // IAM's name: dynamodb:PutItem, also within a transaction
	Resource string // name of the table, queue, topic or SSM parameter; TABLE/index/INDEX
	Count    int
}

// Recorder forwards requests to /<function's name>/... and counts their calls. With
// /<function's name>/port/<port>/... they go to that port of 127.0.0.1.
type Recorder struct {
	proxy *httputil.ReverseProxy
	mu    sync.Mutex
	calls map[Call]int // the key has a Count of zero
}

// portKey is the context's key of the port that ServeHTTP found in a request's path.
type portKey struct{}

// New returns a recorder that forwards to the endpoint.
func New(endpoint *url.URL, log *log.Logger) *Recorder {
	return &Recorder{
		calls: map[Call]int{},
		proxy: &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				to := *endpoint
				if port, ok := r.In.Context().Value(portKey{}).(string); ok {
					to.Host = net.JoinHostPort("127.0.0.1", port)
				}
				r.SetURL(&to)
				r.Out.Host = to.Host
			},
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
				MaxIdleConnsPerHost: 256,
				DisableCompression:  true,
			},
			ErrorLog: log,
		},
	}
}

// Calls returns each recorded call once, in order, with its count.
func (r *Recorder) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Call, 0, len(r.calls))
	for c, n := range r.calls {
		c.Count = n
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Call) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.Action, b.Action), cmp.Compare(a.Resource, b.Resource))
	})
	return all
}

func (r *Recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	function, rest, _ := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
	body, err := io.ReadAll(request.Body)
	if err != nil {
		http.Error(w, "unreadable body", http.StatusBadRequest)
		return
	}
	r.record(function, request, body)
	request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if after, ok := strings.CutPrefix(rest, "port/"); ok {
		var port string
		port, rest, _ = strings.Cut(after, "/")
		request = request.WithContext(context.WithValue(request.Context(), portKey{}, port))
	}
	request.URL.Path, request.URL.RawPath = "/"+rest, ""
	r.proxy.ServeHTTP(w, request)
}

func (r *Recorder) record(function string, request *http.Request, body []byte) {
	calls := actions(request.Header.Get("X-Amz-Target"), body)
	if len(calls) == 0 {
		calls = published(body)
	}
	if len(calls) == 0 { // an unknown protocol: recorded too, so that no call is missed
		calls = []Call{{Action: fmt.Sprintf("%s %s", request.Method, request.URL.Path)}}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range calls {
		c.Function = function
		r.calls[c]++
	}
}

// input holds the fields, of all calls, that name a resource.
type input struct {
	TableName     string                     `json:"TableName"`
	IndexName     string                     `json:"IndexName"`
	QueueURL      string                     `json:"QueueUrl"`
	QueueName     string                     `json:"QueueName"`
	Name          string                     `json:"Name"` // of an SSM parameter
	RequestItems  map[string]json.RawMessage `json:"RequestItems"`
	TransactItems []map[string]struct {
		TableName string `json:"TableName"`
	} `json:"TransactItems"`
}

// actions returns IAM's view of a request of the JSON protocols (DynamoDB, SQS, SSM).
// IAM authorises a batch of messages as one call, and a transaction by its parts.
func actions(target string, body []byte) []Call {
	service, operation, ok := strings.Cut(target, ".")
	var in input
	if !ok || json.Unmarshal(body, &in) != nil {
		return nil
	}
	switch {
	case strings.HasPrefix(service, "DynamoDB_"):
		return tableActions(operation, in)
	case service == "AmazonSQS":
		name := in.QueueName
		if name == "" {
			name = in.QueueURL[strings.LastIndexByte(in.QueueURL, '/')+1:]
		}
		return []Call{{Action: "sqs:" + strings.TrimSuffix(operation, "Batch"), Resource: name}}
	case service == "AmazonSSM":
		return []Call{{Action: "ssm:" + operation, Resource: in.Name}}
	}
	return []Call{{Action: target}}
}

// published returns the call if the body is a form of the query protocol that publishes
// to an SNS topic. Otherwise it returns nil.
func published(body []byte) []Call {
	form, err := url.ParseQuery(string(body))
	if topic := form.Get("TopicArn"); err == nil && form.Get("Action") == "Publish" && topic != "" {
		return []Call{{Action: "sns:Publish", Resource: topic[strings.LastIndexByte(topic, ':')+1:]}}
	}
	return nil
}

// tableActions returns the calls that IAM sees in a DynamoDB operation.
func tableActions(operation string, in input) []Call {
	switch operation {
	case "TransactWriteItems", "TransactGetItems":
		var calls []Call
		for _, item := range in.TransactItems {
			for kind, on := range item {
				calls = append(calls, Call{Action: transacted(kind), Resource: on.TableName})
			}
		}
		return calls
	case "BatchGetItem", "BatchWriteItem":
		var calls []Call
		for table := range in.RequestItems {
			calls = append(calls, Call{Action: "dynamodb:" + operation, Resource: table})
		}
		return calls
	}
	resource := in.TableName
	if in.IndexName != "" {
		resource += "/index/" + in.IndexName
	}
	return []Call{{Action: "dynamodb:" + operation, Resource: resource}}
}

// transacted returns the action that IAM requires for a part of a transaction: Put,
// Update, Delete, ConditionCheck or Get. AWS documents it at
// docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html.
func transacted(part string) string { return "dynamodb:" + part + "Item" }
