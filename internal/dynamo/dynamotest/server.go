//go:build integration

package dynamotest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Fast reports whether a call takes microseconds, so that tests can afford thousands of
// runs.
const Fast = false

// backend returns a client of DynamoDB Local for a test.
func backend(tb testing.TB) (Client, error) {
	tb.Helper()
	local, err := shared()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	tb.Cleanup(transport.CloseIdleConnections)
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(local.endpoint), HTTPClient: &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}), nil
}

// shared returns the single DynamoDB Local of a test binary; the first call starts it.
var shared = sync.OnceValues(start) //nolint:gochecknoglobals // one per process is intended

type server struct {
	endpoint string
	// lifeline stays open as long as this process lives: see launch.
	lifeline io.Closer
}

// startLimit is two minutes because the machine may run much else at the same time.
const startLimit = 2 * time.Minute

func start() (s *server, err error) {
	jar, err := findJar()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp("", "dynamodb-local-*.log")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.Close(), os.Remove(log.Name())) }()
	lifeline, err := launch(jar, port, log)
	if err != nil {
		return nil, err
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	if err := answers(url); err != nil {
		output, unread := os.ReadFile(log.Name())
		return nil, errors.Join(fmt.Errorf("%w; its log: %s", err, output), unread)
	}
	return &server{url, lifeline}, nil
}

// launch runs Java under a shell. The shell kills Java, by its pid, as soon as this
// process ends. A test that panics or is killed runs no code afterwards, but the
// operating system closes this end of the pipe in each case.
func launch(jar string, port int, log *os.File) (lifeline io.Closer, err error) {
	const script = `"$@" </dev/null & child=$!; cat >/dev/null; kill -9 "$child"`
	//nolint:gosec // G204: the jar comes from the environment of the tests
	cmd := exec.CommandContext(context.Background(), "sh", "-c", script, "sh",
		"java", "-Xmx1g", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.library.path=DynamoDBLocal_lib",
		"-jar", jar, "-inMemory", "-sharedDb", "-disableTelemetry", "-port", strconv.Itoa(port))
	cmd.Dir = filepath.Dir(jar)
	cmd.Stdout, cmd.Stderr = log, log
	// The shell and Java have their own process group. So Ctrl-C goes to the tests
	// only, and their end stops Java.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if lifeline, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return lifeline, cmd.Start()
}

// answers waits until DynamoDB Local answers. Any HTTP answer counts.
func answers(url string) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	for begun := time.Now(); time.Since(begun) < startLimit; time.Sleep(20 * time.Millisecond) { //nolint:forbidigo // another process gives no signal
		resp, err := client.Get(url) //nolint:noctx // the client has a timeout
		if err == nil {
			return resp.Body.Close()
		}
	}
	return fmt.Errorf("no answer within %s", startLimit)
}

func freePort() (port int, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not block
	if err != nil {
		return 0, err
	}
	addr, err := netip.ParseAddrPort(l.Addr().String())
	return int(addr.Port()), errors.Join(err, l.Close())
}

// findJar returns the copy that DYNAMODB_LOCAL_JAR names, or the one below .local/tools
// of the repository.
func findJar() (string, error) {
	if jar := os.Getenv("DYNAMODB_LOCAL_JAR"); jar != "" {
		return filepath.Abs(jar)
	}
	root, err := repository()
	if err != nil {
		return "", err
	}
	jar := filepath.Join(root, ".local", "tools", "dynamodb", "DynamoDBLocal.jar")
	if _, err := os.Stat(jar); err != nil {
		return "", fmt.Errorf("run `make tools`, or set DYNAMODB_LOCAL_JAR: %w", err)
	}
	return jar, nil
}
