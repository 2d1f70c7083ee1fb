package process

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// start runs a recorded `sh -c script`, and returns the command after the script has
// written its first line.
func start(t *testing.T, dir, kind, script string) *exec.Cmd {
	t.Helper()
	recorder := filepath.Join(t.TempDir(), "recorded")
	if err := WriteScript(recorder); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(recorder, dir, kind, "name", "sh", "-c", script)
	InOwnGroup(cmd)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wrote := bufio.NewScanner(out).Scan()
	ended := make(chan struct{})
	go func() { // a parent has to wait for its child, or it stays a zombie
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = SignalGroup(cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	})
	if !wrote {
		t.Fatal("the script wrote nothing")
	}
	return cmd
}

func TestARecordedProcessIsFoundByItsStartTime(t *testing.T) {
	dir := t.TempDir()
	cmd := start(t, dir, KindFunction, "echo; exec sleep 1000")
	alive, err := Alive(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(alive) != 1 || alive[0].PID != cmd.Process.Pid || alive[0].Kind != KindFunction || alive[0].Name != "name" {
		t.Fatalf("Alive = %+v, want process %d", alive, cmd.Process.Pid)
	}
}

func TestEndAllEndsTheWholeGroupEvenOfAProcessThatIgnoresSignals(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, KindLocalStack, "trap '' TERM INT; sleep 1000 & echo; wait")
	start(t, dir, KindJava, "echo; exec sleep 1000")
	ended, err := EndAll(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(ended) != 2 || ended[0].Kind != KindLocalStack || ended[1].Kind != KindJava {
		t.Fatalf("ended %+v, want LocalStack and then Java", ended)
	}
	if again, err := EndAll(context.Background(), dir); err != nil || len(again) != 0 {
		t.Fatalf("EndAll again = %v, %v", again, err)
	}
}

func TestAProcessThatOnlySharesTheIDIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	cmd := start(t, t.TempDir(), KindFunction, "echo; exec sleep 1000")
	record := filepath.Join(dir, strconv.Itoa(cmd.Process.Pid))
	if err := os.WriteFile(record, []byte("another/time function name\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if ended, err := EndAll(context.Background(), dir); err != nil || len(ended) != 0 {
		t.Fatalf("EndAll = %v, %v, want nothing", ended, err)
	}
	if _, ok := StartTime(cmd.Process.Pid); !ok {
		t.Fatal("the process was ended")
	}
}

func TestUnreadableRecordsAreIgnored(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"x": "a b c", "1": "a b c", "7": "", "8": "one two"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if alive, err := Alive(dir); err != nil || len(alive) != 0 {
		t.Fatalf("Alive = %v, %v, want none", alive, err)
	}
	if alive, err := Alive(filepath.Join(dir, "missing")); err != nil || len(alive) != 0 {
		t.Fatalf("Alive of a missing folder = %v, %v, want none", alive, err)
	}
}

func TestALockIsHeldOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(path); !errors.Is(err, ErrLocked) {
		t.Fatalf("second Lock = %v, want ErrLocked", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = second.Close()
}
