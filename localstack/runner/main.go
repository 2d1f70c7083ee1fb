// Command runner is behind the Makefile's run, up, down, logs, tools and
// gate-tools. It is run at the repository's root.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"postrider/localstack/tools"
)

var commands = map[string]func(*ending) error{
	"run":    runForeground,
	"daemon": runDaemon, // what `up` starts
	"up":     up,
	"down":   down,
	"logs":   followLogs,
	"tools": func(e *ending) error {
		_, err := tools.Install(e.first, ".", os.Stdout)
		return err
	},
	"gate-tools": func(e *ending) error { return tools.InstallGate(e.first, ".", os.Stdout) },
}

func main() {
	if len(os.Args) != 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: make run, up, down, logs, tools or gate-tools")
		os.Exit(2)
	}
	e := watchSignals()
	if err := commands[os.Args[1]](e); err != nil && !(errors.Is(err, context.Canceled) && e.first.Err() != nil) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// An ending is how a person asks for the end: once, in order; twice, at once.
type ending struct {
	first, second context.Context
	end           context.CancelFunc // as the first signal does
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
