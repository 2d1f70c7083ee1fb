//go:build browser

// Package browser_test uses the service with a browser, as a person does.
package browser_test

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"postrider/internal/api"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/gateway"
	"postrider/internal/mailing"
)

// prefix is a path in front of the API, as long as LocalStack's.
const prefix = "/_aws/execute-api/a1b2c3/local"

// phone is the phone of the only client in the service.
const phone = "79001234567"

// service is the api function over tables in memory, on 127.0.0.1. It serves the root, as
// a custom domain does, and a prefix, as the address of a stage does.
type service struct {
	url string
	// key is the key that a user enters where the description asks for one.
	key string
}

func newService(t *testing.T) service {
	t.Helper()
	store := dynamotest.StartMemory(t).Store()
	client, err := mailing.NewClient(mailing.Client{Phone: phone, Tag: "vip", Timezone: "Europe/Moscow"})
	if err == nil {
		_, err = store.CreateClient(t.Context(), client, mailing.Idempotency{})
	}
	if err != nil {
		t.Fatal(err)
	}
	const key = "key-of-the-tests"
	function := gateway.New(api.New(store, store, unused{}, unused{}, oneKey(key), api.Config{
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}), api.OwnHeader())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A mux would clean the path.
		pass(t, w, r, strings.TrimPrefix(r.URL.EscapedPath(), prefix), function)
	}))
	t.Cleanup(server.Close)
	return service{url: server.URL, key: key}
}

// pass does the work of API Gateway: it makes an event from a request, and a response
// from the function's result.
func pass(t *testing.T, w http.ResponseWriter, r *http.Request, path string, function gateway.Function) {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Errorf("%s %s: %v", r.Method, path, err)
	}
	headers := r.Header.Clone()
	headers.Set("Host", r.Host)
	resp, err := function(context.WithoutCancel(r.Context()), events.APIGatewayProxyRequest{
		HTTPMethod: r.Method, Path: path, Body: string(body),
		MultiValueHeaders: headers, MultiValueQueryStringParameters: r.URL.Query(),
	})
	if err != nil || resp.IsBase64Encoded {
		// The API has no BinaryMediaTypes: API Gateway would not decode the body.
		t.Errorf("%s %s: error %v, base64 %t", r.Method, path, err, resp.IsBase64Encoded)
	}
	maps.Copy(w.Header(), resp.MultiValueHeaders)
	w.WriteHeader(resp.StatusCode)
	_, _ = io.WriteString(w, resp.Body) // a browser that has gone needs no answer
}

// oneKey is the only key, an admin's.
type oneKey string

func (k oneKey) Caller(_ context.Context, key string) (mailing.Caller, bool, error) {
	if key != string(k) {
		return mailing.Caller{}, false, nil
	}
	return mailing.Caller{Name: "browser", Role: mailing.Admin}, true, nil
}

// unused stands for the dependencies that these tests do not use.
type unused struct {
	api.Tasks
	api.Queues
}
