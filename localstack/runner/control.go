package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"postrider/localstack/call"
	"postrider/localstack/stack"
)

// control is the HTTP server through which `up`, `down` and `logs` talk to the running
// stack.
type control struct {
	server *http.Server
	deploy sync.Mutex // one deployment at a time

	mu     sync.Mutex
	status status
	stack  *stack.Stack
	ports  stack.Ports
}

// status describes a running stack.
type status struct {
	State     string `json:"state"` // starting, ready, ending
	Base      string `json:"base"`
	Addresses string `json:"addresses"` // to be shown
}

// serveControl listens on the control socket until close is called. A request to stop
// calls end.
func serveControl(ctx context.Context, end func()) (*control, error) {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", socket) // the socket's folder belongs to this user only
	if err != nil {
		return nil, fmt.Errorf("listen for make up and make down: %w", err)
	}
	c := &control{status: status{State: "starting"}}
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

func (c *control) set(s status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = s
}

// ready records that the stack is up and deployed with these settings.
func (c *control) ready(s *stack.Stack, deployed config) {
	c.set(status{"ready", s.BaseURL, addresses(s, deployed.Parameters["ProviderUrl"])})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stack, c.ports = s, deployed.Ports
}

// serveDeploy deploys to the running stack with the settings that `up` sends.
func (c *control) serveDeploy(w http.ResponseWriter, r *http.Request) {
	var wanted config
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.deploy.Lock()
	defer c.deploy.Unlock()
	c.mu.Lock()
	s, state, ports := c.stack, c.status.State, c.ports
	c.mu.Unlock()
	switch {
	case state != "ready":
		http.Error(w, "the stack is "+state, http.StatusConflict)
		return
	case wanted.Ports != ports:
		http.Error(w, "ports of a running stack cannot be changed: `make down` first", http.StatusConflict)
		return
	}
	if err := s.Deploy(r.Context(), wanted.Parameters); err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	c.ready(s, wanted)
}

// addresses returns the addresses of the stack, one line each. provider is the address
// of the sending API, or "" for the fake provider.
func addresses(s *stack.Stack, provider string) string {
	lines := [][2]string{
		{"admin pages", s.BaseURL + "/"},
		{"API", s.BaseURL + "/api/"},
		{"its keys", stack.AdminKey + ", " + stack.ViewerKey + " (Authorization: Bearer ..., or X-API-Key)"},
		{"documentation", s.BaseURL + "/docs/"},
		{"description", s.BaseURL + "/openapi.json"},
		{"health", s.BaseURL + "/healthz"},
	}
	if provider == "" {
		lines = append(lines, [2]string{"fake provider", s.FakeProviderURL + "/stats"}, [2]string{"what it was handed", s.FakeProviderURL + "/ledger"})
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
