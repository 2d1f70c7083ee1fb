package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// InOwnGroup makes cmd the leader of a process group of its own: a Ctrl-C in the
// terminal must not reach it, the end is told in order.
func InOwnGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// SignalGroup sends sig to the process group that pid leads, or to pid alone
// when it leads none. A process that is gone is no error.
func SignalGroup(pid int, sig syscall.Signal) error {
	target := pid
	if group, err := syscall.Getpgid(pid); err == nil && group == pid {
		target = -pid
	}
	// A zombie's group is EPERM on macOS.
	if err := syscall.Kill(target, sig); err != nil && !errors.Is(err, syscall.ESRCH) && !errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("signal process %d: %w", pid, err)
	}
	return nil
}

// EndAll kills every process that dir records and that still runs, each with its
// group, and returns them once they are gone. It looks again until nothing new
// has appeared, since one of them may have been starting another.
func EndAll(ctx context.Context, dir string) ([]Record, error) {
	var ended []Record
	for {
		alive, err := Alive(dir)
		if err != nil || len(alive) == 0 {
			return ended, err
		}
		for _, r := range alive {
			if err := SignalGroup(r.PID, syscall.SIGKILL); err != nil {
				return ended, err
			}
		}
		for _, r := range alive {
			if err := gone(ctx, r); err != nil {
				return ended, err
			}
			ended = append(ended, r)
			// a record that stays is harmless: the next process of this id has another start
			_ = os.Remove(filepath.Join(dir, strconv.Itoa(r.PID)))
		}
	}
}

// gone waits until the process of r has ended. Nothing tells of the end of a
// process that is not one's child, so it looks.
func gone(ctx context.Context, r Record) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if start, ok := StartTime(r.PID); !ok || start != r.Start {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s process %d (%s) was killed and does not end: %w", r.Kind, r.PID, r.Name, ctx.Err())
		case <-tick.C:
		}
	}
}
