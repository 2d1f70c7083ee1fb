package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
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
	var root yaml.Node
	if err := yaml.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, variables := range []*yaml.Node{
		at(root.Content[0], "Globals", "Function", "Environment", "Variables"),
		at(root.Content[0], "Resources", "ApiFunction", "Properties", "Environment", "Variables"),
	} {
		for i := 0; i < len(variables.Content); i += 2 {
			got[variables.Content[i].Value] = strings.TrimPrefix(variables.Content[i+1].Tag+" ", "!!str ") + variables.Content[i+1].Value
		}
	}
	want := map[string]string{
		"CLIENTS_TABLE": "postrider-ClientsTable-1", "LOG_LEVEL": "!Ref LogLevel", "FIXED": "1",
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
