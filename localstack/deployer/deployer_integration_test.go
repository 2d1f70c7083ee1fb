//go:build integration

package main

import (
	"bufio"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"postrider/localstack/stack"
	"postrider/localstack/stack/stacktest"
)

// TestTheDeployerBringsTheAPIToALocalStackThatRuns runs LocalStack, the fake provider
// and the deployer separately, as Compose does.
func TestTheDeployerBringsTheAPIToALocalStackThatRuns(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	s, dir := stacktest.Empty(t, root, "deployer")
	built := filepath.Join(dir, "build")
	if err := stack.Build(t.Context(), root, built, []string{"ApiFunction", "SchedulerFunction", "SenderFunction"}); err != nil {
		t.Fatal(err)
	}

	program := filepath.Join(t.TempDir(), "deployer")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	address := func(url string) string { return strings.Replace(url, "localhost", "127.0.0.1", 1) }
	start := func() *deployer {
		return started(t, exec.Command(program, "-localstack", address(s.EndpointURL), "-fakeprovider", address(s.FakeProviderURL), "-listen", "127.0.0.1:0",
			"-template", filepath.Join(root, "template.yaml"), "-built", built))
	}

	d := start()
	before := d.deployed(t)
	d.answers(t)
	d.end(t)

	d = start() // finds the existing stack, as after a second `docker compose up`
	if id := d.deployed(t); id != before {
		t.Errorf("the API was %s, and is %s", before, id)
	}
	d.answers(t)

	s = stacktest.Restart(t, root, dir, s) // as after `docker compose restart localstack`, or after LocalStack ran out of memory
	if id := d.deployed(t); id == before {
		t.Errorf("LocalStack still has the API %s: it was not restarted", id)
	}
	d.answers(t)
	d.end(t)
}

// deployer is a running deployer process.
type deployer struct {
	cmd  *exec.Cmd
	log  *bufio.Scanner
	base string // the API's address
}

func started(t *testing.T, cmd *exec.Cmd) *deployer {
	t.Helper()
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // for a failed test: otherwise end has already ended the process
	return &deployer{cmd: cmd, log: bufio.NewScanner(log)}
}

// deployed waits until the deployer has deployed, and returns the API's id.
func (d *deployer) deployed(t *testing.T) (id string) {
	t.Helper()
	timer := time.AfterFunc(10*time.Minute, func() { _ = d.cmd.Process.Kill() }) // ends the log
	defer timer.Stop()
	for d.log.Scan() {
		t.Log(d.log.Text())
		if after, ok := strings.CutPrefix(d.log.Text(), "deployed the API "); ok {
			id, _, _ = strings.Cut(after, " ")
		}
		if after, ok := strings.CutPrefix(d.log.Text(), "the API is at "); ok {
			d.base = after
			return id
		}
	}
	t.Fatal("it ended, or ten minutes were over, without an address")
	return ""
}

func (d *deployer) answers(t *testing.T) {
	t.Helper()
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/api/clients": http.StatusOK, "/docs/": http.StatusOK} {
		request, err := http.NewRequest(http.MethodGet, d.base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+stack.ViewerKey)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("GET %s is %d, want %d: %s", path, response.StatusCode, want, body)
		}
	}
}

func (d *deployer) end(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := d.cmd.Wait(); err != nil {
		t.Errorf("the deployer ended: %v", err)
	}
}
