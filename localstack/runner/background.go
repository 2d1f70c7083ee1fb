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
)

// up starts the stack in the background, or deploys to the running one.
func up(ctx context.Context) error {
	config, err := load()
	if err != nil {
		return err
	}
	var s status
	err = ask(ctx, http.MethodGet, "/status", nil, &s)
	nothing := errors.Is(err, errNothingRuns)
	if nothing {
		// In the foreground, where a person sees it, and without a limit: the first time
		// it may take minutes.
		err = stack.BuildAll(ctx, ".", stackDir)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	if nothing {
		return startInBackground(ctx)
	}
	if s.State == "ready" {
		fmt.Println("the stack runs; deploying what has changed ...")
		if err := ask(ctx, http.MethodPost, "/deploy", config, nil); err != nil {
			return err
		}
	}
	return report(ctx, nil, healthTimeout)
}

// startInBackground starts the daemon, and returns when its API answers. If that fails,
// it ends the daemon.
func startInBackground(ctx context.Context) error {
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		return err
	}
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
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the stack is not up after %.0f s", upTimeout.Seconds())
	}
	fmt.Fprintln(os.Stderr, "ending it ...")
	_ = cmd.Process.Signal(syscall.SIGTERM) // it fails only if the daemon has ended
	<-ended
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
			fmt.Printf("the stack is up:\n%s\n`make logs` follows the functions, `make down` ends the stack with all local data.\n", s.Addresses)
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

// down ends the running stack, and returns after its end.
func down(ctx context.Context) error {
	begun := time.Now()
	switch err := ask(ctx, http.MethodPost, "/stop", nil, nil); {
	case errors.Is(err, errNothingRuns):
		fmt.Println("nothing runs")
		return nil
	case err != nil:
		return err
	}
	fmt.Println("ending the stack ...")
	for {
		lock, err := process.Lock(lockFile) // the running stack has it until its end
		if err == nil {
			fmt.Printf("ended in %.1f s, and its data with it\n", time.Since(begun).Seconds())
			return lock.Close()
		}
		if !errors.Is(err, process.ErrLocked) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
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
