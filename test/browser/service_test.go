//go:build browser

// Package browser_test looks at the service with a browser, as a person does.
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

// phone is that of the one client that the service knows.
const phone = "79001234567"

// service is the api function over tables in memory, on 127.0.0.1: at the root,
// as behind a custom domain, and behind a prefix, as behind a stage's name.
type service struct {
	url string
	// key is what a person fills in where the description asks for one.
	key string
}

func newService(t *testing.T) service {
	t.Helper()
	store := dynamotest.StartMemory(t).Store()
	client, err := mailing.NewClient(mailing.Client{Phone: phone, Tag: "vip", Timezone: "Europe/Moscow"})
	if err == nil {
		_, err = store.CreateClient(t.Context(), client, mailing.Once{})
	}
	if err != nil {
		t.Fatal(err)
	}
	const key = "key-of-the-tests"
	function := gateway.New(api.New(api.Config{
		Clients: store, Mailings: store, Tasks: unused{}, Queues: unused{}, Keys: oneKey(key), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}), api.OwnHeader())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Not by a mux, which would clean the path.
		pass(t, w, r, strings.TrimPrefix(r.URL.EscapedPath(), prefix), function)
	}))
	t.Cleanup(server.Close)
	return service{url: server.URL, key: key}
}

// pass is API Gateway: it makes an event of a request, and a response of what
// the function returns.
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
		// The API has no BinaryMediaTypes: API Gateway would send it as it is.
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

// unused is what these tests do not come to.
type unused struct {
	api.Tasks
	api.Queues
}
