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

// InOwnGroup makes cmd the leader of its own process group. A Ctrl-C in the terminal
// then does not reach it: the processes are ended in order.
func InOwnGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// SignalGroup sends sig to the process group that pid leads, or only to pid when it
// leads none. It is not an error if the process is gone.
func SignalGroup(pid int, sig syscall.Signal) error {
	target := pid
	if group, err := syscall.Getpgid(pid); err == nil && group == pid {
		target = -pid
	}
	// On macOS, signalling the group of a zombie gives EPERM.
	if err := syscall.Kill(target, sig); err != nil && !errors.Is(err, syscall.ESRCH) && !errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("signal process %d: %w", pid, err)
	}
	return nil
}

// EndAll kills all running processes that dir records, each with its group, and returns
// their records after they have ended. It looks again until no new record appears,
// because one of the processes may have been starting another.
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
			// A record that stays does no harm: the next process with this id has
			// another start time.
			_ = os.Remove(filepath.Join(dir, strconv.Itoa(r.PID)))
		}
	}
}

// gone waits until the process of r has ended, at most 5 s. It has to poll: the system
// gives no notice of the end of a process that is not a child.
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
