// Command runner implements the Makefile's targets run, up, down and logs. It has to run in the repository's root.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	// The first signal ends in order. After it, a signal has its usual effect: this
	// process is killed, and all processes of the stack end with it.
	ctx, end := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, end)
	err := do(ctx, end, os.Args[1:])
	switch {
	case err == nil:
	case ctx.Err() != nil && interrupted(err):
		fmt.Fprintln(os.Stderr, "interrupted")
		os.Exit(130) // as a shell reports SIGINT
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// interrupted reports whether an error may come from an end that a person asked for: a
// wait was cancelled, or a program was ended.
func interrupted(err error) bool {
	var program *exec.ExitError
	return errors.Is(err, context.Canceled) || errors.As(err, &program)
}

func do(ctx context.Context, end func(), args []string) error {
	switch strings.Join(args, " ") {
	case "run":
		return run(ctx, end, os.Stdout, isTerminal(os.Stdout), false)
	case "daemon": // `up` starts it
		return run(ctx, end, os.Stdout, false, true)
	case "up":
		return up(ctx)
	case "down":
		return down(ctx)
	case "logs":
		return followLogs(ctx, os.Stdout)
	}
	return errors.New("usage: make run, up, down or logs")
}
