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

// Paths below the repository's root. The integration test is linked with a runDir of
// its own. They are relative, because a full path may be too long for a socket.
//
//nolint:gochecknoglobals // constants, except for the linker
var (
	runDir   = ".local/run"
	stackDir = filepath.Join(runDir, "stack")
	logDir   = filepath.Join(stackDir, "logs")
	lockFile = filepath.Join(runDir, "lock")
	upLog    = filepath.Join(runDir, "up.log")
	socket   = filepath.Join(runDir, "control.sock")
)

// limit is the time that the end of a stack may take. It normally takes a moment.
const limit = 20 * time.Second

// run starts the stack, and returns after its end. end is called when `down` asks for
// the end, and cancels ctx.
func run(ctx context.Context, end func(), out io.Writer, terminal, background bool) error {
	context.AfterFunc(ctx, func() {
		time.AfterFunc(limit, func() {
			fmt.Fprintln(out, "it takes too long: ending it by force")
			os.Exit(1)
		})
	})
	lock, err := lockStack()
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // the end of this process would also unlock it
	config, err := load()
	if err != nil {
		return err
	}
	control, err := serveControl(ctx, end)
	if err != nil {
		return err
	}
	defer control.close()
	s, err := stack.Start(ctx, stack.Options{
		Root: ".", Dir: stackDir, Ports: config.Ports, Parameters: config.Parameters, FakeProvider: fakeprovider.New(), Log: out,
	})
	if err != nil {
		return err
	}
	err = serve(ctx, s, config, control, out, terminal, background)
	control.set(status{State: "ending"})
	fmt.Fprintln(out, "\nending the stack; its data ends with it (again: at once) ...")
	begun := time.Now()
	err = errors.Join(err, s.Close()) //nolint:contextcheck // ctx is done
	fmt.Fprintf(out, "ended in %.1f s\n", time.Since(begun).Seconds())
	return err
}

// lockStack makes this process the only one that runs the checkout's stack.
func lockStack() (*os.File, error) {
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		return nil, err
	}
	lock, err := process.Lock(lockFile)
	if errors.Is(err, process.ErrLocked) {
		return nil, errors.New("the stack of this checkout runs already: `make down` ends it, `make up` deploys changes to it")
	}
	return lock, err
}

// serve returns nil when ctx is done, and an error when LocalStack has ended by itself. In
// the background it prints no addresses: `make up` prints them when the API answers.
func serve(ctx context.Context, s *stack.Stack, c config, control *control, out io.Writer, terminal, background bool) error {
	control.ready(s, c)
	if !background {
		fmt.Fprintf(out, "\n%s\n\n", addresses(s, c.Parameters["ProviderUrl"]))
	}
	if c.Sample {
		if err := send(ctx, s.BaseURL, out, terminal); err != nil && ctx.Err() == nil {
			fmt.Fprintf(out, "the sample failed: %v\n%sThe stack stays up.\n", err, functionErrors())
		}
	}
	if ctx.Err() == nil && !background {
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
