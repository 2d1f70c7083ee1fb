package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"postrider/localstack/process"
	"postrider/localstack/stack"
)

const (
	upTimeout     = 180 * time.Second // for a stack whose functions are compiled
	healthTimeout = 30 * time.Second  // for an API that is deployed
	downTimeout   = 20 * time.Second
)

// up starts the stack in the background, or deploys to the running one.
func up(e *ending) error {
	config, err := load()
	if err != nil {
		return err
	}
	var s status
	switch err := ask(e.first, http.MethodGet, "/status", nil, &s); {
	case errors.Is(err, errNothingRuns):
		return inTime(e.first, func(ctx context.Context) error { return prepareToStart(ctx, config) },
			func(ctx context.Context) error { return startInBackground(ctx, e) })
	case err != nil:
		return err
	}
	return inTime(e.first, nil, func(ctx context.Context) error {
		if s.State == "ready" {
			fmt.Println("the stack runs; deploying what has changed ...")
			if err := ask(ctx, http.MethodPost, "/deploy", config, nil); err != nil {
				return err
			}
		}
		return report(ctx, nil, healthTimeout)
	})
}

// inTime runs start with a limit of upTimeout. prepare, if there is one, runs before it
// without a limit, because Go fetches modules as long as the network needs.
func inTime(ctx context.Context, prepare, start func(context.Context) error) error {
	if prepare != nil {
		if err := prepare(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	return start(ctx)
}

// prepareToStart compiles the functions in the foreground, where a person can watch it: it
// may take minutes.
func prepareToStart(ctx context.Context, c config) error {
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		return err
	}
	lock, err := lockStack()
	if err != nil {
		return err
	}
	return errors.Join(prepare(ctx, c.Ports, os.Stdout), lock.Close())
}

// startInBackground starts the daemon, and returns when its API answers. If that fails, it
// ends the daemon: in order, or at once after a second signal.
func startInBackground(ctx context.Context, e *ending) error {
	log, err := os.Create(upLog)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the child has its own copy
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "daemon") //nolint:noctx // it outlives the command that starts it
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // it outlives this terminal
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // its log says how it ended
	}()
	err = report(ctx, ended, healthTimeout)
	if err == nil {
		return nil
	}
	if e.first.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the stack is not up after %.0f s", upTimeout.Seconds())
	}
	fmt.Fprintln(os.Stderr, "ending it ...")
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // our child, unless it has ended
	select {
	case <-ended:
	case <-time.After(downTimeout):
		_ = cmd.Process.Kill()
		<-ended
	case <-e.second.Done():
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // the second signal ends it at once
		<-ended
	}
	return fmt.Errorf("%w. Its last lines:\n%s", err, lastLines(upLog, 30))
}

// report waits until the stack answers at its address, and shows the stack's log while
// it waits. It returns an error if the stack has ended, or if the API does not answer
// within patience after its deployment: then a function does not start.
func report(ctx context.Context, ended <-chan struct{}, patience time.Duration) error {
	shown := &follower{path: upLog, out: os.Stdout}
	if ended == nil { // another process started the stack
		shown = nil
	}
	var deployed time.Time
	for {
		shown.copy()
		var s status
		ready := ask(ctx, http.MethodGet, "/status", nil, &s) == nil && s.State == "ready"
		if ready && deployed.IsZero() {
			deployed = time.Now()
		}
		if ready && healthy(ctx, s.Base) {
			shown.copy()
			fmt.Printf("the stack is up:\n%s\n`make logs` follows the functions, `make down` ends the stack with all local data.\n", s.Addresses())
			return nil
		}
		if ready && time.Since(deployed) > patience {
			return errors.New("the API is deployed, and does not answer; the functions' last errors:\n" + functionErrors())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ended:
			return errors.New("the stack has ended")
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func healthy(ctx context.Context, base string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/healthz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close() // only the status matters
	return response.StatusCode == http.StatusOK
}

// down ends the running stack in order, and the processes that a crash has left.
func down(e *ending) error {
	var s status
	err := ask(e.first, http.MethodGet, "/status", nil, &s)
	if errors.Is(err, errNothingRuns) {
		fmt.Println("nothing runs")
		return recoverStack(e.first)
	}
	if err != nil {
		return err
	}
	started, _ := process.StartTime(s.PID)
	if err := ask(e.first, http.MethodPost, "/stop", nil, nil); err != nil && !errors.Is(err, errNothingRuns) {
		return err
	}
	fmt.Println("ending the stack ...")
	begun := time.Now()
	for {
		if now, ok := process.StartTime(s.PID); !ok || now != started {
			break
		}
		if time.Since(begun) > downTimeout {
			fmt.Println("it takes too long: ending it by force")
			if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
		select {
		case <-e.first.Done():
			return e.first.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	fmt.Printf("ended in %.1f s, and its data with it\n", time.Since(begun).Seconds())
	return recoverStack(e.first)
}

// recoverStack ends the processes that a crash has left, unless a stack runs.
func recoverStack(ctx context.Context) error {
	if _, err := os.Stat(runDir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	lock, err := process.Lock(lockFile)
	if errors.Is(err, process.ErrLocked) {
		return nil // a stack has just been started
	}
	if err != nil {
		return err
	}
	return errors.Join(stack.Recover(ctx, stackDir, os.Stdout), lock.Close())
}

// lastLines returns the last n lines of a file, indented.
func lastLines(path string, n int) string {
	data, _ := os.ReadFile(path)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-n):], "\n  ")
}

// follower copies the lines that are appended to a file.
type follower struct {
	path   string
	out    io.Writer
	offset int64
}

// skipAllBut skips the existing content except for its last n lines.
func (f *follower) skipAllBut(n int) {
	data, _ := os.ReadFile(f.path)
	end := len(bytes.TrimSuffix(data, []byte("\n")))
	for ; n > 0 && end >= 0; n-- {
		end = bytes.LastIndexByte(data[:end], '\n')
	}
	f.offset = int64(end + 1)
}

// copy copies the new content. On a nil follower it does nothing.
func (f *follower) copy() {
	if f == nil {
		return
	}
	file, err := os.Open(f.path)
	if err != nil {
		return // the file does not exist yet
	}
	defer func() { _ = file.Close() }() // it was only read
	if info, err := file.Stat(); err == nil && info.Size() < f.offset {
		f.offset = 0 // the file of a new stack
	}
	if _, err := file.Seek(f.offset, io.SeekStart); err != nil {
		return
	}
	n, _ := io.Copy(f.out, file) // the next call copies the rest
	f.offset += n
}
