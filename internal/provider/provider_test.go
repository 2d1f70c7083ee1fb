package provider_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postrider/internal/mailing"
	"postrider/internal/provider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var handover = mailing.Handover{ID: mailing.NewMessageID(1, 1), Phone: "79001234567", Text: "Hello"}

const accepted = `{"code":0,"message":"OK"}`

// client returns a client of the server at base. Its timeout is long: a test that
// depends on the timeout sets its own.
func client(t *testing.T, base string, change ...func(*provider.Config)) *provider.Client {
	t.Helper()
	cfg := provider.Config{BaseURL: base, Token: "secret-token", Timeout: 20 * time.Second, MaxConns: 4, Now: time.Now}
	for _, f := range change {
		f(&cfg)
	}
	c, err := provider.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func timeout(d time.Duration) func(*provider.Config) {
	return func(c *provider.Config) { c.Timeout = d }
}

// raw is a server that reads requests properly and then treats the connection as the
// test says.
type raw struct {
	URL      string
	requests atomic.Int32 // complete requests that were read
	conns    atomic.Int32
}

// serveRaw starts a raw server that runs act after each request. It closes the
// connection when act returns false. The close is a reset only if act has called [reset].
func serveRaw(t *testing.T, act func(c *net.TCPConn, n int32) bool) *raw {
	t.Helper()
	s := &raw{}
	s.URL = listen(t, func(c *net.TCPConn) {
		s.conns.Add(1)
		for r := bufio.NewReader(c); ; {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			if !act(c, s.requests.Add(1)) {
				return
			}
		}
	})
	return s
}

// listen accepts connections until the test ends. It closes each connection after
// serve.
func listen(t *testing.T, serve func(*net.TCPConn)) string {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		open = map[net.Conn]bool{}
	)
	wg.Go(func() {
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			wg.Go(func() {
				serve(c)
				closeQuietly(c)
				mu.Lock()
				delete(open, c)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		closeQuietly(l)
		mu.Lock()
		for c := range open {
			closeQuietly(c)
		}
		mu.Unlock()
		wg.Wait()
	})
	return "http://" + l.Addr().String()
}

// reset makes the later close of the connection a reset.
func reset(c *net.TCPConn) { _ = c.SetLinger(0) }

// hold waits until the client has closed the connection.
func hold(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }

func write(c io.Writer, text string) { _, _ = io.WriteString(c, text) }

// closeQuietly closes c, which may be closed already.
func closeQuietly(c io.Closer) { _ = c.Close() }

// outcome and the functions below return the outcomes that Send may return.
func outcome(kind mailing.OutcomeKind, code string) mailing.Outcome {
	return mailing.Outcome{Kind: kind, Code: code}
}
func retry(code string) mailing.Outcome     { return outcome(mailing.OutcomeRetry, code) }
func ambiguous(code string) mailing.Outcome { return outcome(mailing.OutcomeAmbiguous, code) }
func rejected(code string) mailing.Outcome  { return outcome(mailing.OutcomeRejected, code) }

// want checks kind and code, and that the outcome holds nothing else.
func want(t *testing.T, got mailing.Outcome, kind mailing.OutcomeKind, code string) {
	t.Helper()
	if got != outcome(kind, code) {
		t.Errorf("got %+v, want kind %d, code %q", got, kind, code)
	}
}

func send(c *provider.Client) mailing.Outcome { return c.Send(context.Background(), handover) }
