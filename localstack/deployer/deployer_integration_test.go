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

	"postrider/localstack/stack"
	"postrider/localstack/stack/stacktest"
)

// As Compose has it: LocalStack, the stand-in and the deployer each for itself.
func TestTheDeployerBringsTheAPIToALocalStackThatRuns(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	s, dir := stacktest.Empty(t, root, "deployer")
	if err := stack.Build(t.Context(), root, dir); err != nil {
		t.Fatal(err)
	}

	program := filepath.Join(t.TempDir(), "deployer")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	address := func(url string) string { return strings.Replace(url, "localhost", "127.0.0.1", 1) }
	var before string // a second one finds the stack as it is, as after `docker compose up` again
	for range 2 {
		id := deployed(t, exec.Command(program, "-localstack", address(s.EndpointURL), "-standin", address(s.StandInURL), "-listen", "127.0.0.1:0",
			"-template", filepath.Join(root, "template.yaml"), "-built", filepath.Join(dir, "build")))
		if before != "" && id != before {
			t.Errorf("the API was %s, and is %s", before, id)
		}
		before = id
	}
}

// deployed runs the deployer until the API answers through it, and returns the API's id.
func deployed(t *testing.T, cmd *exec.Cmd) (id string) {
	t.Helper()
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the deployer ended: %v", err)
		}
	}()
	base := ""
	for lines := bufio.NewScanner(log); base == "" && lines.Scan(); {
		t.Log(lines.Text())
		if after, ok := strings.CutPrefix(lines.Text(), "deployed the API "); ok {
			id, _, _ = strings.Cut(after, " ")
		}
		if after, ok := strings.CutPrefix(lines.Text(), "the API is at "); ok {
			base = after
		}
	}
	if base == "" {
		t.Fatal("it ended without an address")
	}
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/api/clients": http.StatusOK, "/docs/": http.StatusOK} {
		request, err := http.NewRequest(http.MethodGet, base+path, nil)
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
	return id
}
