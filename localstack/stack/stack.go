package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"postrider/localstack/deploy"
	"postrider/localstack/proxy"
	"postrider/localstack/recorder"
)

// Stack is a running stack, deployed unless Options.Undeployed was set.
type Stack struct {
	BaseURL         string // the API's stable address, http://localhost:<port>
	FakeProviderURL string // the fake provider's address, http://localhost:<port>; "" without one
	EndpointURL     string // LocalStack's address, http://localhost:<port>
	APIID           string // of API Gateway
	Stage           string

	opts     Options
	log      *log.Logger
	emulator *emulator
	proxy    *proxy.Proxy
	recorder *recorder.Recorder
	servers  []*http.Server // in the order in which they are closed
	closing  sync.Once
	closed   error

	mu     sync.Mutex
	result deploy.Result
}

// Start starts a stack and deploys it, unless opts.Undeployed is set. It fails when a
// port is taken or ctx is done. After an error it leaves nothing running. LocalStack,
// Java and the functions end with this process, even if it is killed.
func Start(ctx context.Context, opts Options) (_ *Stack, err error) {
	if opts.Log == nil {
		opts.Log = io.Discard
	}
	if opts.Root, err = filepath.Abs(opts.Root); err != nil {
		return nil, err
	}
	if opts.Dir, err = filepath.Abs(opts.Dir); err != nil {
		return nil, err
	}
	s := &Stack{opts: opts, log: log.New(opts.Log, "", 0)}
	open, err := listen(ctx, opts.Ports)
	if err != nil {
		return nil, err
	}
	defer func() { //nolint:contextcheck // Close ends the stack also when ctx is done
		if err != nil {
			open.close()
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.empty(buildDir); err != nil { // the build only makes the start faster
		return nil, err
	}
	s.serveProxy(open.proxy)
	s.serveFakeProvider(open.fakeProvider)
	if err := s.startLocalStack(ctx, open.localStack); err != nil {
		return nil, err
	}
	// DynamoDB Local takes some seconds to start. So it starts while functions are built.
	go func() { _, _ = dynamodb.NewFromConfig(s.Config()).ListTables(ctx, nil) }()
	if opts.Undeployed {
		return s, nil
	}
	if err := s.Deploy(ctx, opts.Parameters); err != nil {
		return nil, err
	}
	return s, nil
}

// empty removes all files from the stack's folder, except the named ones.
func (s *Stack) empty(except ...string) error {
	entries, err := os.ReadDir(s.opts.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if !slices.Contains(except, e.Name()) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.opts.Dir, e.Name())))
		}
	}
	if err != nil {
		return fmt.Errorf("empty the stack's folder: %w", err)
	}
	return nil
}

func (s *Stack) serveProxy(open []net.Listener) {
	s.proxy = proxy.New(log.New(io.Discard, "", 0)) // it reports errors in its answers
	s.BaseURL = fmt.Sprintf("http://localhost:%d", port(open))
	s.serve(s.proxy, open)
}

func (s *Stack) serveFakeProvider(open []net.Listener) {
	if s.opts.FakeProvider == nil {
		closeAll(open)
		return
	}
	s.FakeProviderURL = fmt.Sprintf("http://localhost:%d", port(open))
	s.serve(s.opts.FakeProvider, open)
}

func (s *Stack) serve(handler http.Handler, open []net.Listener) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	if closer, ok := handler.(interface{ Close() }); ok {
		server.RegisterOnShutdown(closer.Close)
	}
	s.servers = append(s.servers, server)
	for _, l := range open {
		go func() { _ = server.Serve(l) }() // it ends with Close
	}
}

func (s *Stack) startLocalStack(ctx context.Context, open []net.Listener) error {
	number, ipv6 := port(open), len(open) > 1
	closeAll(open) // LocalStack binds them itself
	tools, err := findTools(s.opts.Root)
	if err != nil {
		return err
	}
	if err := prepare(s.opts.Dir, tools); err != nil {
		return fmt.Errorf("lay out the stack's folder: %w", err)
	}
	s.EndpointURL = fmt.Sprintf("http://localhost:%d", number)
	endpoint := ""
	if s.opts.Record {
		at, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("listen for the recorder: %w", err)
		}
		s.recorder = recorder.New(&url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", number)}, log.New(io.Discard, "", 0))
		endpoint = "http://" + at.Addr().String()
		s.serve(s.recorder, []net.Listener{at})
	}
	s.log.Printf("starting LocalStack ...")
	start := time.Now()
	if s.emulator, err = startEmulator(ctx, s.opts.Dir, tools.python, number, ipv6, endpoint); err != nil {
		return err
	}
	s.log.Printf("LocalStack is up, in %.1f s", time.Since(start).Seconds())
	return nil
}

// Deploy builds the functions, and updates the running stack to the template and these
// parameters. It may be called again.
func (s *Stack) Deploy(ctx context.Context, parameters map[string]string) error {
	start := time.Now()
	path := s.opts.Template
	if path == "" {
		path = filepath.Join(s.opts.Root, "template.yaml")
	}
	template, err := readTemplate(path)
	if err != nil {
		return err
	}
	target := Target{EndpointURL: s.emulator.url, FakeProviderURL: s.FakeProviderURL, Proxy: s.proxy}
	if s.opts.DeployWith != nil {
		deployed, err := target.DeployWith(ctx, template, parameters, s.opts.DeployWith)
		if err != nil {
			return err
		}
		s.remember(deployed)
		s.log.Printf("built and deployed, in %.1f s", time.Since(start).Seconds())
		return nil
	}
	dir := s.opts.Built
	if dir == "" {
		dir = filepath.Join(s.opts.Dir, buildDir)
		s.log.Printf("building the functions ...")
		if err := Build(ctx, s.opts.Root, dir, template.Functions()); err != nil {
			return err
		}
	}
	built := time.Now()
	s.log.Printf("deploying ...")
	deployed, err := target.Deploy(ctx, template, Programs(template, dir), parameters)
	if err != nil {
		return err
	}
	s.remember(deployed)
	state := "deployed"
	if !deployed.Changed {
		state = "nothing to deploy"
	}
	s.log.Printf("%s; building took %.1f s, deploying %.1f s", state, built.Sub(start).Seconds(), time.Since(built).Seconds())
	return nil
}

func (s *Stack) remember(d Deployed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result, s.APIID, s.Stage = d.Result, d.APIID, d.Stage
}

// Config returns the configuration for AWS clients of this stack's LocalStack.
func (s *Stack) Config() aws.Config { return Target{EndpointURL: s.emulator.url}.config() }

// Ended returns a channel that is closed when LocalStack has ended, by itself or by
// Close.
func (s *Stack) Ended() <-chan struct{} { return s.emulator.Ended() }

// Close ends the stack: the proxy and the fake provider, then LocalStack with its
// functions and Java, which are killed: their data is in memory only. It keeps the logs.
func (s *Stack) Close() error {
	s.closing.Do(func() {
		for _, server := range s.servers {
			soon, cancel := context.WithTimeout(context.Background(), time.Second)
			if server.Shutdown(soon) != nil {
				_ = server.Close() // cuts the requests that are still running
			}
			cancel()
		}
		if s.emulator != nil {
			s.closed = s.emulator.End()
		}
		s.closed = errors.Join(s.closed, s.empty("build", "logs"))
	})
	return s.closed
}
