//go:build benchmarks

// Package benchmarks_test times operations that users wait for. It prints figures, and
// fails only if an operation does not work: the times depend on the machine.
package benchmarks_test

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"postrider/internal/api"
	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/gateway"
	"postrider/internal/mailing"
)

// timed is a DynamoDB that measures the time of its calls.
type timed struct {
	dynamo.API

	spent time.Duration
}

func (d *timed) GetItem(ctx context.Context, in *dynamodb.GetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	begun := time.Now()
	out, err := d.API.GetItem(ctx, in, opts...)
	d.spent += time.Since(begun)
	return out, err
}

// oneKey is the only key.
type oneKey string

func (k oneKey) Caller(_ context.Context, key string) (mailing.Caller, bool, error) {
	return mailing.Caller{Name: "benchmark", Role: mailing.Viewer}, key == string(k), nil
}

// TestReadingAClient times the api function from API Gateway's event to its answer, less
// the time in DynamoDB.
func TestReadingAClient(t *testing.T) {
	env := dynamotest.StartMemory(t)
	tables := &timed{API: env.Client}
	store := env.StoreOver(tables)
	client, err := store.CreateClient(t.Context(), mailing.Client{
		Phone: "79001234567", OperatorCode: "900", Tag: "vip", Timezone: "Europe/Moscow",
	}, mailing.Idempotency{})
	if err != nil {
		t.Fatal(err)
	}
	function := gateway.New(api.New(store, store, nil, nil, oneKey("key"), api.Config{
		Now: time.Now, Log: slog.New(slog.NewJSONHandler(discard{}, nil)),
	}), api.OwnHeader())
	event := events.APIGatewayProxyRequest{
		HTTPMethod: http.MethodGet, Path: "/api/clients/" + strconv.FormatUint(uint64(client.ID), 10),
		MultiValueHeaders: map[string][]string{"Authorization": {"Bearer key"}, "Accept": {"*/*"}, "Host": {"api.example.com"}, "User-Agent": {"benchmark"}},
		RequestContext:    events.APIGatewayProxyRequestContext{RequestID: "r-1"},
	}
	const warm, n = 1000, 10_000
	took := make([]time.Duration, 0, n)
	for i := range warm + n {
		tables.spent = 0
		begun := time.Now()
		resp, err := function(t.Context(), event)
		if d := time.Since(begun) - tables.spent; i >= warm {
			took = append(took, d)
		}
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v, status %d: %s", err, resp.StatusCode, resp.Body)
		}
	}
	slices.Sort(took)
	t.Logf("figure: GET /api/clients/{id} in the handler, without AWS: p50 %v, p99 %v (%d requests)",
		took[n/2].Round(time.Microsecond), took[n*99/100].Round(time.Microsecond), n)
}

// discard discards log lines after they are formatted.
type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
