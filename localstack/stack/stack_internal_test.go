package stack

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/localstack/deploy"
	"postrider/localstack/settings"
)

func TestLocalStacksEnvironmentHasNothingOfAPersonsOwn(t *testing.T) {
	t.Setenv("AWS_PROFILE", "mine")
	t.Setenv("AWS_ACCESS_KEY_ID", "mine")
	t.Setenv("HTTPS_PROXY", "http://mine")
	env := strings.Join(environment("/dir", 4566, true, "http://127.0.0.1:1"), "\n")
	if strings.Contains(env, "mine") {
		t.Error(env)
	}
	for _, want := range []string{"GATEWAY_LISTEN=127.0.0.1:4566,[::1]:4566", "POSTRIDER_STATE=/dir", "POSTRIDER_LAMBDA_ENDPOINT=http://127.0.0.1:1"} {
		if !strings.Contains(env, want) {
			t.Errorf("no %s in\n%s", want, env)
		}
	}
	if env := strings.Join(environment("/dir", 4566, false, ""), "\n"); strings.Contains(env, "::1") || strings.Contains(env, "LAMBDA_ENDPOINT") {
		t.Errorf("without IPv6 and recorder:\n%s", env)
	}
}

// TestJavaIsGuardedAndGetsItsOwnTemporaryFolder uses a folder whose name a shell would
// split and expand.
func TestJavaIsGuardedAndGetsItsOwnTemporaryFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's a $HOME")
	home := filepath.Join(dir, "jdk")
	if err := os.MkdirAll(filepath.Join(home, "bin"), 0o750); err != nil {
		t.Fatal(err)
	}
	program := "#!/bin/sh\nprintf '%s\\n' \"$@\"\nsleep 1000\n"
	if err := os.WriteFile(filepath.Join(home, "bin", "java"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := prepare(dir, installed{javaHome: home, dynamodb: filepath.Join(dir, "dynamodb"), staticLibs: filepath.Join(dir, "libs")}); err != nil {
		t.Fatal(err)
	}
	java := exec.Command(filepath.Join(dir, "localstack", "var", "lib", "localstack", "lib", "java", "21", "bin", "java"), "-jar", "a b.jar")
	java.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // as LocalStack starts it
	input, err := java.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := java.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := java.Start(); err != nil {
		t.Fatal(err)
	}
	want := "-XX:TieredStopAtLevel=1\n-XX:+UseSerialGC\n-Djava.io.tmpdir=" + filepath.Join(dir, "tmp") + "\n-jar\na b.jar\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(output, got); err != nil || string(got) != want {
		t.Errorf("java gets %q, %v; want %q", got, err, want)
	}
	_ = input.Close()                                                  // the test's own end of the pipe
	if rest, err := io.ReadAll(output); err != nil || len(rest) != 0 { // it waits for the end of sleep
		t.Errorf("then %q, %v", rest, err)
	}
	_ = java.Wait() // it was killed
}

func TestABuildThatIsInterruptedEndsWithAllThatItHasStarted(t *testing.T) {
	dir := t.TempDir()
	makefile := "build-OneFunction:\n\t@echo started >started; sleep 60; echo ended >ended\n"
	if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte(makefile), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for tick := time.Tick(10 * time.Millisecond); ; <-tick {
			if _, err := os.Stat(filepath.Join(dir, "started")); err == nil {
				return
			}
		}
	}()
	begun := time.Now()
	err := Build(ctx, dir, dir, []string{"OneFunction"})
	if took := time.Since(begun); err == nil || took > 30*time.Second {
		t.Errorf("Build = %v after %v", err, took)
	}
}

func TestNamesAreTranslatedToLogicalIDs(t *testing.T) {
	s := &Stack{result: deploy.Result{Resources: map[string]deploy.Resource{
		"Table": {PhysicalID: "postrider-Table-1"},
		"Queue": {PhysicalID: "http://localhost:4566/queue/us-east-1/000000000000/postrider-Queue-1"},
	}}}
	logical := s.logicalIDs()
	for name, want := range map[string]string{"postrider-Table-1": "Table", "postrider-Queue-1": "Queue", "other": "other"} {
		if got := translate(logical, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestTheFakeProviderIsTheSendingAPIUnlessAnotherIsGiven(t *testing.T) {
	template, err := deploy.ParseTemplate([]byte("Parameters: {ProviderUrl: {Type: String}, ProviderToken: {Type: String}}\nResources: {}"))
	if err != nil {
		t.Fatal(err)
	}
	s := Target{FakeProviderURL: "http://localhost:8001"}
	own := map[string]string{"ProviderUrl": "https://example.com/v1", "ProviderToken": "x"}
	if diff := cmp.Diff(own, s.withDefaults(template, own)); diff != "" {
		t.Error(diff)
	}
	want := map[string]string{"ProviderUrl": "http://127.0.0.1:8001/v1", "ProviderToken": "local-token"}
	if diff := cmp.Diff(want, s.withDefaults(template, nil)); diff != "" {
		t.Error(diff)
	}
	if got := (Target{}).withDefaults(template, nil); len(got) != 0 {
		t.Errorf("without a fake provider: %v", got)
	}
}

// TestWrongParametersAreToldTogetherByTheirVariables uses the real template, with
// settings that LocalStack would accept.
func TestWrongParametersAreToldTogetherByTheirVariables(t *testing.T) {
	template, err := readTemplate(filepath.Join(repository, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const elsewhere = "https://example.com/v1"
	for _, c := range []struct {
		set  map[string]string
		want []string
	}{
		{nil, nil},
		{map[string]string{"PROVIDER_URL": elsewhere, "PROVIDER_TOKEN": "x", "SENDER_CONCURRENCY": "2", "CORS_ORIGINS": "https://app.example.com"}, nil},
		{map[string]string{"PROVIDER_TIMEOUT_SECONDS": "22", "VISIBILITY_TIMEOUT_SECONDS": "180"}, nil},
		{
			map[string]string{
				"SENDER_CONCURRENCY": "1", "LOG_LEVEL": "loud", "MAX_SEND_RATE": "-5", "API_BURST_LIMIT": "0", "RETENTION_DAYS": "0",
				"CORS_ORIGINS": "app.example.com", "MAX_IN_FLIGHT": "abc", "PROVIDER_URL": "ftp://x", "PROVIDER_TOKEN": "x",
			},
			[]string{
				"SENDER_CONCURRENCY=1: it is a whole number, 2 to 1,000", "LOG_LEVEL=loud: ", "MAX_SEND_RATE=-5: ", "API_BURST_LIMIT=0: ",
				"RETENTION_DAYS=0: ", "CORS_ORIGINS: ", "MAX_IN_FLIGHT=abc: ", "PROVIDER_URL: ",
			},
		},
		{map[string]string{"PROVIDER_TIMEOUT_SECONDS": "60"}, []string{"PROVIDER_TIMEOUT_SECONDS=60: set at most SENDER_TIMEOUT_SECONDS (30) minus 8"}},
		{map[string]string{"PROVIDER_TIMEOUT_SECONDS": "23"}, []string{"PROVIDER_TIMEOUT_SECONDS=23: "}},
		{map[string]string{"VISIBILITY_TIMEOUT_SECONDS": "60"}, []string{"VISIBILITY_TIMEOUT_SECONDS=60: set at least 180, which is 6 times SENDER_TIMEOUT_SECONDS"}},
		{map[string]string{"SENDER_TIMEOUT_SECONDS": "31"}, []string{"VISIBILITY_TIMEOUT_SECONDS=180: "}},
		{map[string]string{"PROVIDER_URL": "https://" + "u:secret@example.com", "PROVIDER_TOKEN": "secret\n"}, []string{"PROVIDER_URL: ", "PROVIDER_TOKEN: "}},
		{map[string]string{"PROVIDER_URL": elsewhere, "STAGE": "my stage"}, []string{"PROVIDER_TOKEN is not", "STAGE: "}},
		{map[string]string{"PROVIDER_URL": elsewhere, "PROVIDER_TOKEN_PARAMETER": "/postrider/token", "TASK_CONCURRENCY": "1000"}, nil},
		{map[string]string{"PROVIDER_TOKEN": "x", "PROVIDER_TOKEN_PARAMETER": "/postrider/token"}, nil}, // the fake provider has its own token
		{
			map[string]string{"PROVIDER_URL": elsewhere, "PROVIDER_TOKEN": "secret", "PROVIDER_TOKEN_PARAMETER": "token", "TASK_CONCURRENCY": "1"},
			[]string{"PROVIDER_TOKEN and PROVIDER_TOKEN_PARAMETER are set", "PROVIDER_TOKEN_PARAMETER: ", "TASK_CONCURRENCY=1: it is a whole number, 2 to 1,000"},
		},
	} {
		_, err := Parameters(func(name string) (string, bool) { v := c.set[name]; return v, v != "" }, template)
		if (err == nil) != (c.want == nil) {
			t.Errorf("%v: %v", c.set, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v: no %q in\n%v", c.set, want, err)
			}
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: a secret is shown in\n%v", c.set, err)
		}
		if err != nil && strings.Count(err.Error(), "\n") != len(c.want)-1 {
			t.Errorf("%v: not a line each:\n%v", c.set, err)
		}
	}
}

func TestTheExampleOfSettingsIsTakenWithItsCommentsTakenAway(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(repository, ".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := settings.Parse(strings.NewReader(regexp.MustCompile(`(?m)^# ([A-Z_]+=)`).ReplaceAllString(string(data), "$1")))
	if err != nil || len(set) == 0 {
		t.Fatalf("Parse = %v, %v", set, err)
	}
	template, err := readTemplate(filepath.Join(repository, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parameters(func(name string) (string, bool) { v := set[name]; return v, v != "" }, template); err != nil {
		t.Error(err)
	}
	for _, p := range template.Parameters() {
		if example := set[p.Variable()]; p.Default != "" && example != "" && example != p.Default {
			t.Errorf("%s=%s: its default is %s", p.Variable(), example, p.Default)
		}
		delete(set, p.Variable())
	}
	for _, other := range []string{"SAMPLE", "PORT"} {
		delete(set, other)
	}
	if len(set) != 0 {
		t.Errorf("no function uses %v", set)
	}
}

func TestMailingsBeginAt1OnALaptopUnlessAnotherIDIsGiven(t *testing.T) {
	template, err := readTemplate(filepath.Join(repository, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if got := (Target{}).withDefaults(template, nil)["FirstMailingId"]; got != "1" {
		t.Errorf("they begin at %q", got)
	}
	given := map[string]string{"FirstMailingId": "7"}
	if got := (Target{}).withDefaults(template, given)["FirstMailingId"]; got != "7" {
		t.Errorf("they begin at %q, and 7 was given", got)
	}
}
