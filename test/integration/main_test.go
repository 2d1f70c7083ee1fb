//go:build integration

// Package integration_test runs the whole of Postrider, deployed from template.yaml on a
// LocalStack of its own. It observes Postrider as a user can: through the API, the fake
// provider's ledger, and the queues.
package integration_test

import (
	"context"
	"flag"
	"fmt"
	"html"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"golang.org/x/sync/errgroup"

	"postrider/localstack/fakeprovider"
	"postrider/localstack/stack"
)

// The stack that all tests of this binary share.
var (
	running    *stack.Stack
	parameters map[string]string // of the stack's template
	outage     = 30 * time.Second
	// borrowed is true if the stack was there before: the tests of the admin pages can use
	// the stack at PAGES_URL, with the fake provider at PROVIDER_URL, while somebody works on
	// the pages. What needs the stack's tables or parameters is then left out.
	borrowed bool
)

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration tests:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if s := os.Getenv("OUTAGE_SECONDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return 1, fmt.Errorf("OUTAGE_SECONDS is %q: give whole seconds", s)
		}
		outage = time.Duration(n) * time.Second
	}
	if at := os.Getenv("PAGES_URL"); at != "" {
		running, borrowed = &stack.Stack{BaseURL: at, FakeProviderURL: os.Getenv("PROVIDER_URL")}, true
		return m.Run(), nil
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return 1, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*limit)
	defer cancel()
	log := io.Writer(os.Stderr)
	dir := filepath.Join(root, ".local", "test", strconv.Itoa(os.Getpid()))
	api := fakeprovider.New()
	providerPort, err := freePort(ctx)
	if err != nil {
		return 1, err
	}
	parameters = map[string]string{
		"ProviderUrl":  fmt.Sprintf("http://127.0.0.1:%d/v1", providerPort),
		"MaxSendRate":  "0",
		keysParameter:  "/postrider/test/keys",
		tokenParameter: "/postrider/test/token",
		// The file of local parameters has a token, and there must not be two.
		"ProviderToken": "",
	}
	with, err := deployer(root, dir)
	if err != nil {
		return 1, err
	}
	running, err = stack.Start(ctx, stack.Options{
		Root: root, Dir: dir, Ports: stack.Ports{FakeProvider: providerPort}, FakeProvider: api, Log: log,
		// The policies are compared only where all parts run; a part that runs alone for
		// its figure calls LocalStack directly.
		Record:     flag.Lookup("test.run").Value.String() == "" || os.Getenv("RECORD") != "",
		Parameters: parameters, DeployWith: with,
	})
	if err != nil {
		return 1, err
	}
	defer func() {
		if closeErr := running.Close(); err == nil {
			err = closeErr
		}
		if code == 0 && err == nil && os.Getenv("KEEP_LOGS") == "" {
			err = os.RemoveAll(dir)
		} else {
			fmt.Fprintln(os.Stderr, "the functions' logs are in", filepath.Join(dir, "logs"))
		}
	}()
	if err := putToken(ctx, running.Config(), parameters[tokenParameter]); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// freePort returns a port on which no process listens now.
func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}

// TestStack is one test with parts, because they share a stack. The parts that set the
// behaviour of the sending API run first, one after the other. Then the parts that do not
// depend on it run in parallel. The checks of all parts come last.
func TestStack(t *testing.T) {
	s := newService(running.BaseURL, running.FakeProviderURL)
	// A figure that is requested alone does not wait for other preparations.
	if wanted("many") {
		makeMany(t, s)
	}
	finishPurge := func(*testing.T, *service) {}
	if wanted("purge") {
		// It runs before the others, because it empties the queue that all of them use.
		// The purged messages come back after five minutes, and the others run during
		// that time.
		finishPurge = testPurge(t, s)
	}
	if wanted("quick") {
		deployQuick(t)
	}
	inOrder(t, s, []part{
		{"an uncertain outcome stops a message", testStop},
		{"killed five times", testKills},
	})
	if wanted("quick") {
		deploy(t, parameters)
	}
	inOrder(t, s, []part{
		{"the sending API is down for a while", testOutage},
		{"a refused phone fails alone", testRejected},
		{"dead letters are redriven", testRedrive},
		{"pause and resume", testPauseAndResume},
		{"cancel", testCancel},
		{"delete", testDelete},
		{"a purged queue loses nothing", finishPurge},
		// From here on no other mailing is under way: sums, times and the queues' content
		// belong to one mailing.
		{"a mailing reaches everyone once", testImmediate},
		{"an idle stack hands over within two seconds", testFirstHandOver},
		{"failures are tried again", testRetry},
		{"the queues are shown", testQueues},
		{"a test message", testTestMessage},
		{"the end comes while it is running", testEndWhileRunning},
		{"a start ahead", testFutureStart},
		{"five thousand at 200 ms", testThroughput},
	})
	t.Run("side by side", func(t *testing.T) {
		for _, one := range []part{
			{"filters", testFilters},
			{"a window", testWindow},
			{"a deleted client is skipped", testDeletedClientIsSkipped},
			{"a mailing cancelled before its start", testCancelBeforeStart},
			{"process", testProcess},
			{"bad input", testBadInput},
			{"keys", testKeys},
		} {
			t.Run(one.name, func(t *testing.T) {
				t.Parallel()
				s.part(t, one.test)
			})
		}
	})
	inOrder(t, s, []part{
		{"a file of ten thousand clients", testFiles},
		{"the same request twice", testTwice},
		{"the daily report", testReport},
	})
	t.Run("the admin pages", func(t *testing.T) { testPages(t, s) })
	t.Run("all of the API is called", func(t *testing.T) { s.part(t, testRest) })
	t.Run("policies allow just the calls that were made", testPolicies)
}

// part is a part of the test. Its name is the behaviour that it shows.
type part struct {
	name string
	test func(*testing.T, *service)
}

func inOrder(t *testing.T, s *service, parts []part) {
	t.Helper()
	for _, one := range parts {
		t.Run(one.name, func(t *testing.T) { s.part(t, one.test) })
	}
}

// Short timeouts, for parts that wait for them. An answer of the fake provider takes less
// than quickProvider on a busy machine, too: otherwise it would count as uncertain.
const (
	quickProvider = 3 * time.Second
	quickSender   = 11 * time.Second // 8 s more than quickProvider, the least that the template allows
)

func deployQuick(t *testing.T) {
	t.Helper()
	quick := maps.Clone(parameters)
	quick["ProviderTimeoutSeconds"] = strconv.Itoa(int(quickProvider.Seconds()))
	quick["SenderTimeoutSeconds"] = strconv.Itoa(int(quickSender.Seconds()))
	quick["VisibilityTimeoutSeconds"] = strconv.Itoa(6 * int(quickSender.Seconds()))
	deploy(t, quick)
}

func deploy(t *testing.T, parameters map[string]string) {
	t.Helper()
	if err := running.Deploy(t.Context(), parameters); err != nil {
		t.Fatal(err)
	}
}

// wanted reports whether the parts that -run chooses need a preparation. Without -run all
// parts are chosen.
func wanted(preparation string) bool {
	chosen := flag.Lookup("test.run").Value.String()
	needs := map[string][]string{
		"many":  {"five", "end", "pause", "cancel", "delete", "down", "purge"},
		"purge": {"purge"},
		"quick": {"killed", "uncertain"},
	}
	return chosen == "" || slices.ContainsFunc(needs[preparation], func(part string) bool { return strings.Contains(chosen, part) })
}

// batchesQueued returns how many batches of one mailing are in the deliveries queue.
func batchesQueued(t *testing.T, s *service, mailingID int64) int {
	t.Helper()
	return strings.Count(lookInto(t, s, "DeliveriesQueue"), fmt.Sprintf(`"mailing_id":%d,`, mailingID))
}

// countDead returns how often a text occurs in the dead letters.
func countDead(t *testing.T, s *service, text string) int {
	t.Helper()
	return strings.Count(lookInto(t, s, "DeadLettersQueue"), text)
}

// lookInto returns everything in a queue, including hidden and delayed messages. It asks
// LocalStack, which shows a queue without receiving from it.
func lookInto(t *testing.T, s *service, queue string) string {
	t.Helper()
	query := url.Values{"QueueUrl": {running.PhysicalID(queue)}, "ShowInvisible": {"true"}, "ShowDelayed": {"true"}}
	// A cleanup calls this, too.
	got, err := s.ask(context.WithoutCancel(t.Context()), http.MethodGet, running.EndpointURL+"/_aws/sqs/messages?"+query.Encode(), nil)
	if err != nil || got.status != http.StatusOK {
		t.Fatalf("look into the queue: status %d, %v", got.status, err)
	}
	return html.UnescapeString(strings.ReplaceAll(string(got.body), `\"`, `"`))
}

func purgeDeliveries(t *testing.T) {
	t.Helper()
	_, err := sqs.NewFromConfig(running.Config()).PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: aws.String(running.PhysicalID("DeliveriesQueue"))})
	if err != nil {
		t.Fatal(err)
	}
}

// limited returns a group of at most n goroutines at a time.
func limited(t *testing.T, n int) *errgroup.Group {
	t.Helper()
	var g errgroup.Group
	g.SetLimit(n)
	return &g
}

// quiet waits while nothing may happen, or until something has happened that gives no
// sign.
func quiet(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

func isAccepted(answer string) bool {
	switch answer {
	case "accepted", "hang", "reset", "garbage":
		return true
	default:
		return false
	}
}
