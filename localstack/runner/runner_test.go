package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/localstack/deploy"
	"postrider/localstack/settings"
	"postrider/localstack/stack"
)

func template(t *testing.T) *deploy.Template {
	t.Helper()
	parsed, err := deploy.ParseTemplate([]byte("Parameters: {ProviderUrl: {Type: String}, ProviderToken: {Type: String, NoEcho: true}, RetentionDays: {Type: Number}}\nResources: {}"))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func source(values map[string]string) settings.Source {
	return func(name string) (string, bool) { v := values[name]; return v, v != "" }
}

func TestSettingsBecomeParameters(t *testing.T) {
	for name, c := range map[string]struct {
		set  map[string]string
		want config
	}{
		"nothing": {nil, config{Ports: stack.Ports{Front: 8000, StandIn: 8001, LocalStack: 4566}, Parameters: map[string]string{}, Sample: true}},
		"the stand-in keeps its own token": {
			map[string]string{"PORT": "9000", "PROVIDER_TOKEN": "x", "SAMPLE": "0", "RETENTION_DAYS": "5"},
			config{Ports: stack.Ports{Front: 9000, StandIn: 8001, LocalStack: 4566}, Parameters: map[string]string{"RetentionDays": "5"}},
		},
		"another provider gets no sample": {
			map[string]string{"PROVIDER_URL": "https://example.com/v1", "PROVIDER_TOKEN": "x"},
			config{Ports: stack.Ports{Front: 8000, StandIn: 8001, LocalStack: 4566}, Parameters: map[string]string{"ProviderUrl": "https://example.com/v1", "ProviderToken": "x"}},
		},
		"unless asked for": {
			map[string]string{"PROVIDER_URL": "https://example.com/v1", "PROVIDER_TOKEN": "x", "SAMPLE": "1"},
			config{Ports: stack.Ports{Front: 8000, StandIn: 8001, LocalStack: 4566}, Parameters: map[string]string{"ProviderUrl": "https://example.com/v1", "ProviderToken": "x"}, Sample: true},
		},
	} {
		got, err := resolve(source(c.set), template(t))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestWrongSettingsAreToldTogether(t *testing.T) {
	_, err := resolve(source(map[string]string{"PORT": "x", "LOCALSTACK_PORT": "0", "SAMPLE": "maybe"}), template(t))
	for _, want := range []string{"PORT=x", "LOCALSTACK_PORT=0", "SAMPLE=maybe"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("resolve = %v, want %q in it", err, want)
		}
	}
	_, err = resolve(source(map[string]string{"PROVIDER_URL": "https://example.com"}), template(t))
	if err == nil || !strings.Contains(err.Error(), "PROVIDER_TOKEN") {
		t.Errorf("without a token: %v", err)
	}
}

func TestWhatRunsIsAskedAndEndedThroughItsSocket(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := ask(t.Context(), http.MethodGet, "/status", nil, nil); !errors.Is(err, errNothingRuns) {
		t.Fatalf("ask = %v, want that nothing runs", err)
	}
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(context.Background())
	control, err := serveControl(t.Context(), end, os.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	var s status
	if err := ask(t.Context(), http.MethodGet, "/status", nil, &s); err != nil || s.State != "starting" || s.PID != os.Getpid() {
		t.Errorf("status = %+v, %v", s, err)
	}
	if err := ask(t.Context(), http.MethodPost, "/deploy", config{}, nil); err == nil || !strings.Contains(err.Error(), "starting") {
		t.Errorf("deploy = %v, want that the stack is starting", err)
	}
	ready := &stack.Stack{BaseURL: "http://localhost:8000", StandInURL: "http://localhost:8001", EndpointURL: "http://localhost:4566", APIID: "abc", Stage: "local"}
	control.ready(ready)
	if err := ask(t.Context(), http.MethodPost, "/deploy", config{Ports: stack.Ports{Front: 9000, StandIn: 8001, LocalStack: 4566}}, nil); err == nil || !strings.Contains(err.Error(), "make down") {
		t.Errorf("deploy with other ports = %v", err)
	}
	if err := ask(t.Context(), http.MethodGet, "/status", nil, &s); err != nil || s.State != "ready" || !strings.Contains(s.Addresses(), "https://localhost:4566/_aws/execute-api/abc/local/") {
		t.Errorf("status = %+v, %v", s, err)
	}
	if err := ask(t.Context(), http.MethodPost, "/stop", nil, nil); err != nil {
		t.Fatal(err)
	}
	<-ended.Done()
	control.close()
	if err := ask(t.Context(), http.MethodGet, "/status", nil, nil); !errors.Is(err, errNothingRuns) {
		t.Errorf("after the end, ask = %v", err)
	}
}

func TestLogLinesAreWholeAndPrefixed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var out bytes.Buffer
	f := &follower{path: path, out: &prefixer{out: &out, prefix: "api | "}}
	f.copy() // not there yet
	for _, content := range []string{"one\ntw", "one\ntwo\nthree\n", "new\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f.copy()
	}
	if want := "api | one\napi | two\napi | three\napi | new\n"; out.String() != want {
		t.Errorf("shown:\n%swant:\n%s", &out, want)
	}
}

func TestFunctionsAreKnownByTheNameOfTheirLog(t *testing.T) {
	for name, want := range map[string]string{"postrider-ApiFunction-5039d867.log": "Api", "postrider-SchedulerFunction-x.log": "Scheduler", "localstack.log": "", "postrider-Api-1.log": ""} {
		got := ""
		if m := functionLog.FindStringSubmatch(name); m != nil {
			got = m[1]
		}
		if got != want {
			t.Errorf("%s is of %q, want %q", name, got, want)
		}
	}
}
