package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
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
		"nothing": {nil, config{Ports: stack.Ports{Proxy: 8000, FakeProvider: 8001, LocalStack: 4566}, Parameters: map[string]string{}, Sample: true}},
		"the fake provider keeps its own token": {
			map[string]string{"PORT": "9000", "PROVIDER_TOKEN": "x", "SAMPLE": "0", "RETENTION_DAYS": "5"},
			config{Ports: stack.Ports{Proxy: 9000, FakeProvider: 8001, LocalStack: 4566}, Parameters: map[string]string{"RetentionDays": "5"}},
		},
		"another provider gets no sample": {
			map[string]string{"PROVIDER_URL": "https://example.com/v1", "PROVIDER_TOKEN": "x"},
			config{Ports: stack.Ports{Proxy: 8000, FakeProvider: 8001, LocalStack: 4566}, Parameters: map[string]string{"ProviderUrl": "https://example.com/v1", "ProviderToken": "x"}},
		},
		"unless asked for": {
			map[string]string{"PROVIDER_URL": "https://example.com/v1", "PROVIDER_TOKEN": "x", "SAMPLE": "1"},
			config{Ports: stack.Ports{Proxy: 8000, FakeProvider: 8001, LocalStack: 4566}, Parameters: map[string]string{"ProviderUrl": "https://example.com/v1", "ProviderToken": "x"}, Sample: true},
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
	control, err := serveControl(t.Context(), end)
	if err != nil {
		t.Fatal(err)
	}
	var s status
	if err := ask(t.Context(), http.MethodGet, "/status", nil, &s); err != nil || s.State != "starting" {
		t.Errorf("status = %+v, %v", s, err)
	}
	if err := ask(t.Context(), http.MethodPost, "/deploy", config{}, nil); err == nil || !strings.Contains(err.Error(), "starting") {
		t.Errorf("deploy = %v, want that the stack is starting", err)
	}
	ready := &stack.Stack{BaseURL: "http://localhost:8000", FakeProviderURL: "http://localhost:8001", EndpointURL: "http://localhost:4566", APIID: "abc", Stage: "local"}
	control.ready(ready, config{Ports: stack.DefaultPorts()})
	if err := ask(t.Context(), http.MethodPost, "/deploy", config{Ports: stack.Ports{Proxy: 9000, FakeProvider: 8001, LocalStack: 4566}}, nil); err == nil || !strings.Contains(err.Error(), "make down") {
		t.Errorf("deploy with other ports = %v", err)
	}
	if err := ask(t.Context(), http.MethodGet, "/status", nil, &s); err != nil || s.State != "ready" || !strings.Contains(s.Addresses, " http://localhost:4566/_aws/execute-api/abc/local/api/") {
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
	f.copy() // the file does not exist yet
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

// logs writes the functions' logs to the folder in which a stack has them, below a new
// working folder.
func logs(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(logDir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(logDir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLogsOfAStackThatHasEndedAreShownAndThatIsSaid(t *testing.T) {
	var long, want strings.Builder
	for i := range recent + 10 {
		fmt.Fprintf(&long, "line %d\n", i)
		if i >= 10 {
			fmt.Fprintf(&want, "api       | line %d\n", i)
		}
	}
	logs(t, map[string]string{"postrider-ApiFunction-1.log": long.String(), "postrider-SenderFunction-2.log": "one\ntwo\n", "localstack.log": "other\n"})
	want.WriteString("sender    | one\nsender    | two\nthe stack has ended\n")
	var out bytes.Buffer
	if err := followLogs(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestTheLastLinesAreWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for _, c := range []struct{ content, want string }{
		{"", ""},
		{"a\n", "a\n"},
		{"a\nb\nc\n", "b\nc\n"},
		{"a\nb\nhal", "b\nhal"},
		{"\n\n\n", "\n\n"},
	} {
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		f := &follower{path: path, out: &out}
		f.skipAllBut(2)
		f.copy()
		if out.String() != c.want {
			t.Errorf("of %q: %q, want %q", c.content, out.String(), c.want)
		}
	}
}

func TestAnAPIThatDoesNotAnswerIsToldWithTheFunctionsLastErrors(t *testing.T) {
	logs(t, map[string]string{
		"postrider-ApiFunction-1.log":    `{"level":"ERROR","msg":"first"}` + "\n" + `{"level":"ERROR","msg":"last"}` + "\n" + `{"level":"INFO","msg":"after"}` + "\n",
		"postrider-SenderFunction-2.log": `{"level":"INFO","msg":"fine"}` + "\n",
	})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer api.Close()
	control, err := serveControl(t.Context(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer control.close()
	control.ready(&stack.Stack{BaseURL: api.URL}, config{})
	err = report(t.Context(), nil, 0)
	if err == nil || !strings.Contains(err.Error(), `api       | {"level":"ERROR","msg":"last"}`) {
		t.Fatalf("report = %v, want the api's last error", err)
	}
	for _, other := range []string{"first", "after", "fine"} {
		if strings.Contains(err.Error(), other) {
			t.Errorf("%q is in %v", other, err)
		}
	}
}

func TestTheSendingAPIThatIsUsedIsShown(t *testing.T) {
	s := &stack.Stack{BaseURL: "http://localhost:8000", FakeProviderURL: "http://localhost:8001", EndpointURL: "http://localhost:4566"}
	if lines := addresses(s, ""); !strings.Contains(lines, "http://localhost:8001/stats") || !strings.Contains(lines, "http://localhost:8001/ledger") {
		t.Errorf("with the fake provider:\n%s", lines)
	}
	if lines := addresses(s, "https://example.com/v1"); strings.Contains(lines, "8001") || !strings.Contains(lines, "https://example.com/v1") {
		t.Errorf("with another:\n%s", lines)
	}
}

func TestAProgramThatWasKilledIsAnInterruption(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, "sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cancel()
	for err, want := range map[error]bool{
		fmt.Errorf("build: %w", cmd.Wait()):        true,
		fmt.Errorf("wait: %w", context.Canceled):   true,
		errors.New("the stack's folder is locked"): false,
	} {
		if interrupted(err) != want {
			t.Errorf("interrupted(%v) = %t", err, !want)
		}
	}
}

func TestASecondStackOfACheckoutIsRefusedInPlainWords(t *testing.T) {
	t.Chdir(t.TempDir())
	lock, err := lockStack()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	_, err = lockStack()
	if err == nil || !strings.Contains(err.Error(), "make down") || strings.Contains(err.Error(), "locked") {
		t.Errorf("lockStack again = %v", err)
	}
}
