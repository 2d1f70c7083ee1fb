package function

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// keepLog restores the log after the test, because setup replaces it.
func keepLog(t *testing.T) {
	t.Helper()
	before, output := slog.Default(), log.Writer()
	t.Cleanup(func() {
		slog.SetDefault(before)
		log.SetOutput(output)
	})
}

// setupAt sets a function up whose calls to AWS go to a server.
func setupAt(t *testing.T, url string) aws.Config {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	var none struct{}
	cfg, err := setup(t.Context(), "test", &none)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestAWrongConfigurationIsToldTogetherByItsVariables(t *testing.T) {
	keepLog(t)
	for name, value := range map[string]string{
		"LOG_LEVEL": "loud", "RETENTION_DAYS": "a while", "CLIENTS_TABLE": "", "MAILINGS_TABLE": "m", "BATCHES_TABLE": "b", "MAX_SEND_RATE": "fast",
	} {
		t.Setenv(name, value)
	}
	var config struct {
		Tables

		Rate int `env:"MAX_SEND_RATE" envDefault:"300"`
	}
	_, err := setup(t.Context(), "test", &config)
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{"LOG_LEVEL: ", "loud", "RETENTION_DAYS: ", "MAX_SEND_RATE: ", "CLIENTS_TABLE"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %q", want, err)
		}
	}
	for _, field := range []string{"Level", "RetentionDays", "Rate"} {
		if strings.Contains(err.Error(), field) {
			t.Errorf("the field %s is in %q", field, err)
		}
	}
}

func TestLinesOfTheSDKAreForDebugging(t *testing.T) {
	keepLog(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Crc32", "0") // as DynamoDB Local does with errors
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(server.Close)
	cfg := setupAt(t, server.URL)
	for _, c := range []struct {
		level slog.Level
		want  bool
	}{{slog.LevelInfo, false}, {slog.LevelDebug, true}} {
		var lines strings.Builder
		slog.SetDefault(slog.New(slog.NewJSONHandler(&lines, &slog.HandlerOptions{Level: c.level})))
		if _, err := dynamodb.NewFromConfig(cfg).ListTables(t.Context(), &dynamodb.ListTablesInput{}); err == nil {
			t.Fatal("no error")
		}
		if got := strings.Contains(lines.String(), `"level":"DEBUG","msg":"the AWS SDK says"`); got != c.want || !c.want && lines.Len() > 0 {
			t.Errorf("level %s: %q", c.level, lines.String())
		}
	}
}

func TestACallToAWSThatHangsIsMadeAgainWithinSeconds(t *testing.T) {
	keepLog(t)
	var calls atomic.Int64
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if calls.Add(1)%2 == 1 {
			select { // every second connection hangs, beginning with the first
			case <-r.Context().Done():
			case <-ended:
			}
			return
		}
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(ended) })
	cfg := setupAt(t, server.URL)
	// Much more than two seconds, for a busy machine, but not without limit.
	ctx, cancel := context.WithTimeout(t.Context(), 15*attemptTime)
	defer cancel()
	for name, call := range map[string]func() error{
		"DynamoDB": func() error {
			_, err := dynamodb.NewFromConfig(cfg).ListTables(ctx, &dynamodb.ListTablesInput{})
			return err
		},
		"SQS": func() error {
			_, err := sqs.NewFromConfig(cfg).ListQueues(ctx, &sqs.ListQueuesInput{})
			return err
		},
	} {
		made := calls.Load()
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := calls.Load() - made; n != 2 {
			t.Errorf("%s: %d attempts", name, n)
		}
	}
}
