package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/cfn"
)

func TestFunctionsWorkWithTheTablesOfTheStackThatRuns(t *testing.T) {
	t.Parallel()
	const template = `
Globals:
  Function:
    Environment:
      Variables: {CLIENTS_TABLE: !Ref ClientsTable, LOG_LEVEL: !Ref LogLevel, FIXED: "1"}
Resources:
  ApiFunction:
    Properties:
      Environment:
        Variables: {TASKS_QUEUE_URL: {Ref: TasksQueue}}
  Queue: {Type: "AWS::SQS::Queue"}
`
	raw, err := bound([]byte(template), map[string]string{"ClientsTable": "postrider-ClientsTable-1", "TasksQueue": "http://localhost:1/q"}, "http://host:2")
	if err != nil {
		t.Fatal(err)
	}
	root, err := cfn.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	for _, function := range []any{
		cfn.At(root, "Globals", "Function"), cfn.At(root, "Resources", "ApiFunction", "Properties"),
	} {
		for name, value := range cfn.Each(cfn.At(function, "Environment", "Variables")) {
			got[name] = value
		}
	}
	want := map[string]any{
		"CLIENTS_TABLE": "postrider-ClientsTable-1", "LOG_LEVEL": map[string]any{"Ref": "LogLevel"}, "FIXED": "1",
		"TASKS_QUEUE_URL": "http://localhost:1/q", "AWS_ENDPOINT_URL": "http://host:2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestATemplateWithoutVariablesIsRefused(t *testing.T) {
	t.Parallel()
	for _, template := range []string{"", "Resources: {}", ": ["} {
		if _, err := bound([]byte(template), nil, ""); err == nil {
			t.Errorf("%q is taken", template)
		}
	}
}

func TestAContainersConnectionIsPassedOn(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	defer server.Close()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		forward(ctx, listener, server.Listener.Addr().String())
		close(ended)
	}()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Post("http://"+listener.Addr().String(), "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if string(body) != "hello" {
		t.Errorf("it answers %q", body)
	}
	cancel()
	<-ended
}

func TestOnLinuxAPortThatContainersWillNotReachIsTold(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	said := map[string]bool{}
	for _, goos := range []string{"linux", "darwin"} {
		var log strings.Builder
		open(t.Context(), taken.Addr().String(), "127.0.0.1:1", goos, &log)
		said[goos] = strings.Contains(log.String(), taken.Addr().String())
	}
	if diff := cmp.Diff(map[string]bool{"linux": true, "darwin": false}, said); diff != "" {
		t.Error(diff)
	}
}

func TestSamTakesWhatItDoesLocallyFromSamconfig(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../samconfig.toml")
	if err != nil {
		t.Fatal(err)
	}
	config, err := tables(string(data))
	if err != nil {
		t.Fatal(err)
	}
	reached := []any{host + ":host-gateway"} // the host in the functions' AWS_ENDPOINT_URL
	parameters := []any{"file://infra/parameters/local.yaml"}
	want := map[string]map[string]any{
		"local.build.parameters": {"build_in_source": true},
		"local.deploy.parameters": {
			"stack_name": "postrider-sam", "region": "us-east-1", "resolve_s3": true, "capabilities": "CAPABILITY_IAM",
			"confirm_changeset": false, "fail_on_empty_changeset": false, "parameter_overrides": parameters,
		},
		"local.local_start_api.parameters": {
			"region": "us-east-1", "port": 3000.0, "warm_containers": "LAZY", "add_host": reached, "parameter_overrides": parameters,
		},
		"local.local_invoke.parameters": {"region": "us-east-1", "add_host": reached, "parameter_overrides": parameters},
	}
	got := map[string]map[string]any{}
	for name, values := range config {
		if strings.HasPrefix(name, "local.") {
			got[name] = values
		}
	}
	for _, environment := range []string{"default", "local"} {
		// Without it sam also copies the local tools for each function.
		if config[environment+".build.parameters"]["build_in_source"] != true {
			t.Errorf("%s builds in a copy", environment)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// tables reads the part of TOML that samconfig.toml uses. There, values are also valid
// JSON.
func tables(text string) (map[string]map[string]any, error) {
	all := map[string]map[string]any{"": {}}
	table := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok {
			table = strings.TrimSuffix(name, "]")
			all[table] = map[string]any{}
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		var v any
		if err := json.Unmarshal([]byte(value), &v); err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		all[table][strings.TrimSpace(key)] = v
	}
	return all, nil
}
