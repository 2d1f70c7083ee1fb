package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"postrider/localstack/call"
	"postrider/localstack/stack"
)

// control is the HTTP server through which `up` and `down` talk to the running stack.
type control struct {
	server *http.Server
	out    io.Writer
	deploy sync.Mutex // one deployment at a time

	mu    sync.Mutex
	stack *stack.Stack
	status
}

// status describes a running stack.
type status struct {
	State string `json:"state"` // starting, ready, ending
	PID   int    `json:"pid"`
	Base  string `json:"base"`
	Lines string `json:"lines"` // the addresses, to be shown
}

// Addresses returns the addresses of a stack that is up, to be shown.
func (s status) Addresses() string { return s.Lines }

// serveControl listens on the control socket until close is called.
func serveControl(ctx context.Context, end context.CancelFunc, out io.Writer) (*control, error) {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", socket) // the socket's folder belongs to this user only
	if err != nil {
		return nil, fmt.Errorf("listen for make up and make down: %w", err)
	}
	c := &control{out: out, status: status{State: "starting", PID: os.Getpid()}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		_ = json.NewEncoder(w).Encode(c.status) // the caller may have gone
	})
	mux.HandleFunc("POST /stop", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		end()
	})
	mux.HandleFunc("POST /deploy", c.serveDeploy)
	c.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = c.server.Serve(l) }() // it ends with close
	return c, nil
}

func (c *control) close() { _ = c.server.Close() }

// ready records that the stack is up and deployed with these parameters.
func (c *control) ready(s *stack.Stack, parameters map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stack, c.State, c.Base, c.Lines = s, "ready", s.BaseURL, addresses(s, parameters["ProviderUrl"])
}

func (c *control) ending() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.State = "ending"
}

// serveDeploy deploys to the running stack with the settings that `up` sends.
func (c *control) serveDeploy(w http.ResponseWriter, r *http.Request) {
	var wanted config
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	s, state := c.stack, c.State
	c.mu.Unlock()
	if state != "ready" {
		http.Error(w, "the stack is "+state, http.StatusConflict)
		return
	}
	if err := samePorts(s, wanted.Ports); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	c.deploy.Lock()
	defer c.deploy.Unlock()
	if err := s.Deploy(r.Context(), wanted.Parameters); err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	c.ready(s, wanted.Parameters)
}

func samePorts(s *stack.Stack, wanted stack.Ports) error {
	for url, port := range map[string]int{s.BaseURL: wanted.Front, s.StandInURL: wanted.StandIn, s.EndpointURL: wanted.LocalStack} {
		if !strings.HasSuffix(url, fmt.Sprintf(":%d", port)) {
			return errors.New("ports of a running stack cannot be changed: `make down` first")
		}
	}
	return nil
}

// addresses returns the addresses of the stack, one line each. provider is the address
// of the sending API, or "" for the fake provider.
func addresses(s *stack.Stack, provider string) string {
	lines := [][2]string{
		{"API", s.BaseURL + "/api/"},
		{"its keys", stack.AdminKey + ", " + stack.ViewerKey + " (Authorization: Bearer ..., or X-API-Key)"},
		{"documentation", s.BaseURL + "/docs/"},
		{"description", s.BaseURL + "/openapi.json"},
		{"health", s.BaseURL + "/healthz"},
	}
	if provider == "" {
		lines = append(lines, [2]string{"sending API's stand-in", s.StandInURL + "/stats"}, [2]string{"what it was handed", s.StandInURL + "/ledger"})
	} else {
		lines = append(lines, [2]string{"sending API", provider})
	}
	lines = append(lines, [2]string{"API Gateway's own", fmt.Sprintf("%s/_aws/execute-api/%s/%s/api/", s.EndpointURL, s.APIID, s.Stage)})
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&b, "  %-24s%s\n", line[0], line[1])
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// ask sends a request to the running stack. It returns errNothingRuns if no stack runs.
func ask(ctx context.Context, method, path string, in, out any) error {
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}}
	err := call.JSON(ctx, &client, method, "http://stack"+path, nil, in, out)
	var op *net.OpError
	var answer *call.StatusError
	switch {
	case errors.As(err, &op) && op.Op == "dial" && ctx.Err() == nil:
		return errNothingRuns
	case errors.As(err, &answer):
		return errors.New(strings.TrimSpace(answer.Body)) // the message of serveDeploy
	default:
		return err
	}
}

var errNothingRuns = errors.New("nothing runs")
