package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"postrider/localstack/fakeprovider"
	"postrider/localstack/process"
	"postrider/localstack/sample"
	"postrider/localstack/stack"
)

// Paths below the repository's root.
const (
	runDir   = ".local/run"
	stackDir = runDir + "/stack"
	logDir   = stackDir + "/logs"
	lockFile = runDir + "/lock"
	upLog    = runDir + "/up.log"
	// Relative, because a full path may be too long for a socket.
	socket = runDir + "/control.sock"
)

// run starts the stack, and returns after its end.
func run(e *ending, out io.Writer, terminal bool) error {
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		return err
	}
	lock, err := lockStack()
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // the end of this process would also unlock it
	config, err := load()
	if err != nil {
		return err
	}
	control, err := serveControl(e.first, e.end, out)
	if err != nil {
		return err
	}
	defer control.close()

	s, err := start(e.first, config, out)
	if err == nil {
		err = serve(e.first, s, config, control, out, terminal)
		control.ending()
		fmt.Fprintln(out, "\nending the stack; its data ends with it (again: at once) ...")
		begun := time.Now()
		err = errors.Join(err, s.CloseContext(e.second))
		fmt.Fprintf(out, "ended in %.1f s\n", time.Since(begun).Seconds())
	}
	return err
}

// lockStack makes this process the only one that runs the checkout's stack.
func lockStack() (*os.File, error) {
	lock, err := process.Lock(lockFile)
	if errors.Is(err, process.ErrLocked) {
		return nil, errors.New("the stack of this checkout runs already: `make down` ends it, `make up` deploys changes to it")
	}
	return lock, err
}

// start builds the functions, and starts the stack with the fake provider.
func start(ctx context.Context, c config, out io.Writer) (*stack.Stack, error) {
	if err := prepare(ctx, c.Ports, out); err != nil {
		return nil, err
	}
	return stack.Start(ctx, stack.Options{
		Root: ".", Dir: stackDir, Ports: c.Ports, Parameters: c.Parameters, StandIn: fakeprovider.New(), Log: out,
	})
}

// prepare compiles the functions. Before that it ends processes that a crash left,
// because they may hold the ports, and checks the ports.
func prepare(ctx context.Context, ports stack.Ports, out io.Writer) error {
	if err := stack.Recover(ctx, stackDir, out); err != nil {
		return err
	}
	if err := stack.CheckPorts(ctx, ports); err != nil {
		return err
	}
	return stack.Build(ctx, ".", stackDir)
}

// serve returns nil when ctx is done, and an error when LocalStack has ended by itself.
func serve(ctx context.Context, s *stack.Stack, c config, control *control, out io.Writer, terminal bool) error {
	control.ready(s, c.Parameters)
	fmt.Fprintf(out, "\n%s\n\n", control.Addresses())
	if c.Sample {
		if err := send(ctx, s.BaseURL, out, terminal); err != nil && ctx.Err() == nil {
			fmt.Fprintf(out, "the sample failed: %v\n%sThe stack stays up.\n", err, functionErrors())
		}
	}
	if ctx.Err() == nil {
		fmt.Fprintln(out, "Ctrl-C, or `make down`, ends the stack. All local data ends with it.")
	}
	select {
	case <-ctx.Done():
		return nil
	case <-s.Ended():
		return errors.New("LocalStack has ended by itself: see " + filepath.Join(logDir, "localstack.log"))
	}
}

// send loads the sample, and follows its mailing until the end.
func send(ctx context.Context, base string, out io.Writer, terminal bool) error {
	begun := time.Now()
	fmt.Fprintf(out, "sample: creating %d clients and a mailing to all of them (SAMPLE=0 leaves it out) ...\n", sample.Clients)
	s := sample.Service{Base: base, Key: stack.AdminKey}
	id, err := s.Load(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "sample: created in %.1f s\n", time.Since(begun).Seconds())
	begun = time.Now()
	if err := s.Follow(ctx, id, out, terminal); err != nil {
		return err
	}
	fmt.Fprintf(out, "sample: done in %.1f s\n", time.Since(begun).Seconds())
	return nil
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
