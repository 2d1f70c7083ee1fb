//go:build integration

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"postrider/localstack/process"
	"postrider/localstack/stack/stacktest"
)

// checkout runs the commands of the Makefile, with their files in a folder of its own.
type checkout struct {
	root, program, dir string
	env                []string
	address            string // of the API
}

func newCheckout(t *testing.T) checkout {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(".local", "test", fmt.Sprint("runner-", os.Getpid()))
	c := checkout{root: root, dir: filepath.Join(root, own), program: filepath.Join(t.TempDir(), "stack"), env: append(os.Environ(), "SAMPLE=0")}
	for _, variable := range []string{"FAKE_PROVIDER_PORT", "LOCALSTACK_PORT", "PORT"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		c.env, c.address = append(c.env, variable+"="+port), "127.0.0.1:"+port
	}
	if out, err := exec.Command("go", "build", "-ldflags", "-X main.runDir="+own, "-o", c.program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() {
		c.says(t, "down", "")
		_ = os.RemoveAll(c.dir)
	})
	return c
}

func (c checkout) command(name string) *exec.Cmd {
	cmd := exec.Command(c.program, name)
	cmd.Dir, cmd.Env = c.root, c.env
	return cmd
}

// says runs a command to its end, and reports whether it succeeded. Its output has to
// contain want.
func (c checkout) says(t *testing.T, name, want string) bool {
	t.Helper()
	out, err := c.command(name).CombinedOutput()
	var failed *exec.ExitError
	if (err != nil && !errors.As(err, &failed)) || !strings.Contains(string(out), want) {
		t.Errorf("%s: %v, it says\n%swant %q", name, err, out, want)
	}
	return err == nil
}

// starts begins a command, and returns it with the rest of its output after it has said
// want.
func (c checkout) starts(t *testing.T, name, want string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := c.command(name)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	for lines := bufio.NewReader(io.TeeReader(out, &said)); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("%s: %v, it says\n%swant %q", name, err, &said, want)
		}
		if strings.Contains(line, want) {
			return cmd, lines
		}
	}
}

// nothingIsLeft waits until no process of the stack runs.
func (c checkout) nothingIsLeft(t *testing.T) {
	t.Helper()
	begun := time.Now()
	for tick := time.Tick(20 * time.Millisecond); len(stacktest.Processes(t, c.dir)) > 0; <-tick {
		if time.Since(begun) > time.Minute {
			t.Fatalf("left: %v", stacktest.Processes(t, c.dir))
		}
	}
}

// isUnlocked waits until the kernel has released the lock of a killed stack. A list of
// processes does not show that: a killed process loses its arguments before its files.
func (c checkout) isUnlocked(t *testing.T) {
	t.Helper()
	begun := time.Now()
	for tick := time.Tick(20 * time.Millisecond); ; <-tick {
		lock, err := process.Lock(filepath.Join(c.dir, "lock"))
		if err == nil {
			_ = lock.Close()
			return
		}
		if !errors.Is(err, process.ErrLocked) || time.Since(begun) > time.Minute {
			t.Fatal(err)
		}
	}
}

func (c checkout) isHealthy(t *testing.T) {
	t.Helper()
	response, err := http.Get("http://" + c.address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("the API answers %s", response.Status)
	}
}

func TestTheCommandsOfTheMakefile(t *testing.T) {
	c := newCheckout(t)
	if !c.says(t, "down", "nothing runs") {
		t.Error("down without up fails")
	}

	taken, err := net.Listen("tcp", c.address)
	if err != nil {
		t.Fatal(err)
	}
	if c.says(t, "up", ", for the API, is taken") {
		t.Error("up succeeds with a port that is taken")
	}
	_ = taken.Close()

	if !c.says(t, "up", "the stack is up") {
		t.Fatal("up fails")
	}
	c.isHealthy(t)
	if c.says(t, "run", "runs already: `make down` ends it") {
		t.Error("run succeeds while a stack runs")
	}
	if !c.says(t, "up", "deploying what has changed") {
		t.Error("the second up fails")
	}

	running := fmt.Sprint(stacktest.Processes(t, c.dir))
	for _, want := range []string{"localstack.runtime.main", "DynamoDBLocal.jar", "bootstrap"} {
		if !strings.Contains(running, want) {
			t.Errorf("no %s among %s", want, running)
		}
	}
	for pid := range stacktest.Processes(t, filepath.Dir(c.program)) { // the daemon
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	c.isUnlocked(t)
	// The next start is at once: processes of the killed stack may still hold ports.
	run, rest := c.starts(t, "run", "ends the stack. All local data ends with it.")
	c.isHealthy(t)
	if !c.says(t, "down", "ended in") {
		t.Error("down fails")
	}
	if out, err := io.ReadAll(rest); err != nil || !strings.Contains(string(out), "ending the stack; its data ends with it") {
		t.Errorf("run says %q, %v", out, err)
	}
	if err := run.Wait(); err != nil {
		t.Errorf("run, which down has ended: %v", err)
	}
	c.nothingIsLeft(t)
	c.says(t, "logs", "the stack has ended")
}

func TestCtrlCEndsTheStackWhileItStarts(t *testing.T) {
	c := newCheckout(t)
	run, rest := c.starts(t, "run", "starting LocalStack")
	if err := run.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	out, _ := io.ReadAll(rest)
	_ = run.Wait() // the exit status is checked below
	if run.ProcessState.ExitCode() != 130 || !strings.HasSuffix(string(out), "interrupted\n") {
		t.Errorf("%s, it says %q", run.ProcessState, out)
	}
	c.nothingIsLeft(t)
}
