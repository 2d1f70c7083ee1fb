package process_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"postrider/localstack/process"
)

// role, in the environment, is what the test binary does in place of the tests.
const role = "POSTRIDER_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "": // the tests
		os.Exit(m.Run())
	case "parent": // starts a program, and waits until it is killed
		if _, err := process.Start(program("wait")); err != nil {
			panic(err)
		}
	case "wait":
		family()
	case "exit":
		family()
		return
	}
	select {}
}

// program returns a command that runs the test binary in a role.
func program(as string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), role+"="+as)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd
}

// family starts two processes that write to the standard output and ignore signals. One
// of them has a process group and a Guard of its own, as Java has in LocalStack.
func family() {
	const sleep = "trap '' TERM INT HUP; echo started; sleep 1000"
	child, guarded := exec.Command("sh", "-c", sleep), exec.Command("sh", "-c", process.Guard, "guard", "sh", "-c", sleep)
	guarded.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	for _, cmd := range []*exec.Cmd{child, guarded} {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			panic(err)
		}
	}
}

// output returns a file for the output of processes, and its other end. The other end
// reaches its end when all the processes have ended.
func output(t *testing.T) (reader, writer *os.File) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close() })
	return reader, writer
}

// started waits until both processes of a family run.
func started(t *testing.T, output io.Reader) {
	t.Helper()
	const want = "started\nstarted\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(output, got); err != nil || string(got) != want {
		t.Fatalf("the output is %q, %v", got, err)
	}
}

// gone fails unless all processes that have the output's other end end within a minute.
func gone(t *testing.T, output *os.File) {
	t.Helper()
	if err := output.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, output); err != nil {
		t.Errorf("a process is left: %v", err)
	}
}

// start starts a family as a group, and returns the end of its output.
func start(t *testing.T, as string) (*process.Group, *os.File) {
	t.Helper()
	reader, writer := output(t)
	cmd := program(as)
	cmd.Stdout = writer
	group, err := process.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	_ = writer.Close()
	return group, reader
}

func TestAGroupEndsWithAllItsProcesses(t *testing.T) {
	group, out := start(t, "wait")
	started(t, out)
	if err := group.End(); err != nil {
		t.Fatal(err)
	}
	gone(t, out)
}

func TestAGroupEndsWhenThisProcessIsKilled(t *testing.T) {
	reader, writer := output(t)
	parent := program("parent")
	parent.Stdout = writer
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close()
	started(t, reader)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	gone(t, reader)
}

func TestAGroupCanBeEndedAfterItsProgramHasEnded(t *testing.T) {
	group, out := start(t, "exit")
	<-group.Ended()
	if err := group.End(); err != nil {
		t.Fatal(err)
	}
	gone(t, out)
}

func TestAProgramThatDoesNotExistEnds(t *testing.T) {
	cmd := exec.Command(filepath.Join(t.TempDir(), "missing"))
	var said strings.Builder
	cmd.Stderr = &said
	group, err := process.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	<-group.Ended()
	if err := group.End(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "missing") {
		t.Errorf("the shell writes %q", &said)
	}
}

func TestALockIsHeldOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := process.Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := process.Lock(path); !errors.Is(err, process.ErrLocked) {
		t.Fatalf("second Lock = %v, want ErrLocked", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := process.Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = second.Close()
}
