//go:build benchmarks

package benchmarks_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// runtimeAPI is Lambda's side of a function: it returns one event, and receives the
// answer.
type runtimeAPI struct {
	asked    chan time.Time
	answered chan answer
	event    []byte
	given    bool
}

type answer struct {
	at   time.Time
	body []byte
}

// ServeHTTP serves one function, which sends one request after the other.
func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/invocation/next") && !a.given:
		a.asked <- time.Now()
		a.given = true
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "r-1")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(time.Minute).UnixMilli(), 10))
		_, _ = w.Write(a.event)
	case strings.HasSuffix(r.URL.Path, "/response"):
		at := time.Now()
		body, _ := io.ReadAll(r.Body)
		a.answered <- answer{at, body}
		w.WriteHeader(http.StatusAccepted)
	default:
		<-r.Context().Done() // there is no further event
	}
}

// TestTheStartOfTheAPIFunction times the deployed program, built for this machine, from
// the start of its process.
func TestTheStartOfTheAPIFunction(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "make", "build-ApiFunction", "ARTIFACTS_DIR="+dir, "FUNCTION_GOOS="+runtime.GOOS, "FUNCTION_GOARCH="+runtime.GOARCH)
	build.Dir = root
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, said)
	}
	event, err := json.Marshal(events.APIGatewayProxyRequest{HTTPMethod: http.MethodGet, Path: "/healthz"})
	if err != nil {
		t.Fatal(err)
	}
	var ready, answered []time.Duration
	for range 11 {
		first, whole := start(t, filepath.Join(dir, "bootstrap"), event)
		ready, answered = append(ready, first), append(answered, whole)
	}
	slices.Sort(ready)
	slices.Sort(answered)
	t.Logf("figure: the api function's start: %v from its process to its first request, %v to the first answer (the middle of %d; slowest %v, %v)",
		ready[5].Round(100*time.Microsecond), answered[5].Round(100*time.Microsecond), len(ready), ready[10].Round(100*time.Microsecond), answered[10].Round(100*time.Microsecond))
}

// start runs the program until it has answered. It returns the times from its start to
// its first request for an event, and to its answer.
func start(t *testing.T, program string, event []byte) (ready, answered time.Duration) {
	t.Helper()
	a := &runtimeAPI{asked: make(chan time.Time, 1), answered: make(chan answer, 1), event: event}
	server := httptest.NewServer(a)
	defer server.Close()
	function := exec.CommandContext(t.Context(), program)
	function.Env = append(os.Environ(),
		"AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(server.URL, "http://"), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"CLIENTS_TABLE=c", "MAILINGS_TABLE=m", "BATCHES_TABLE=b", "TASKS_QUEUE_URL=http://localhost/t", "DELIVERIES_QUEUE_URL=http://localhost/d",
		"DEAD_LETTERS_QUEUE_URL=http://localhost/l", "DEAD_TASKS_QUEUE_URL=http://localhost/e", "KEYS_PARAMETER=/keys",
	)
	var said bytes.Buffer
	function.Stderr = &said
	begun := time.Now()
	if err := function.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = function.Process.Kill() // it waits for the next request for ever
		_ = function.Wait()
		server.CloseClientConnections()
	}()
	var got answer
	select {
	case got = <-a.answered: // the program has asked for the event before
	case <-time.After(30 * time.Second):
		t.Fatalf("no answer; it says: %s", &said)
	}
	ready, answered = (<-a.asked).Sub(begun), got.at.Sub(begun)
	var resp events.APIGatewayProxyResponse
	if err := json.Unmarshal(got.body, &resp); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, status %d: %s", err, resp.StatusCode, got.body)
	}
	return ready, answered
}
