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
	e := watchSignals()
	err := do(e, os.Args[1:])
	switch {
	case err == nil:
	case e.first.Err() != nil && interrupted(err):
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

func do(e *ending, args []string) error {
	switch strings.Join(args, " ") {
	case "run":
		return run(e, os.Stdout, isTerminal(os.Stdout))
	case "daemon": // `up` starts it
		return run(e, os.Stdout, false)
	case "up":
		return up(e)
	case "down":
		return down(e)
	case "logs":
		return followLogs(e, os.Stdout)
	}
	return errors.New("usage: make run, up, down or logs")
}

// ending holds how a person asks for the end. The first signal ends in order, the
// second at once.
type ending struct {
	first, second context.Context
	end           context.CancelFunc // the same as the first signal
}

func watchSignals() *ending {
	first, end := context.WithCancel(context.Background())
	second, endNow := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		end()
		<-signals
		endNow()
	}()
	return &ending{first: first, second: second, end: end}
}
