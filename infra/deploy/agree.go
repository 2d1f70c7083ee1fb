package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// asker holds how agree asks for a confirmation.
type asker struct {
	in       io.Reader
	out      io.Writer
	terminal bool   // a person reads out and types into in
	confirm  string // "1" confirms in advance
}

var (
	errRefused = errors.New("nothing was changed: what replaces or removes a table or a queue has to be confirmed, " +
		"in a terminal by typing the stack's name, elsewhere by CONFIRM=1")
	errStopped = errors.New("stopped: nothing was changed")
)

// agree lists the losses of p, and returns nil if there are none or if they are
// confirmed. If ctx ends, the answer is no, even while agree waits for a person.
func agree(ctx context.Context, p plan, stack string, a asker) error {
	switch {
	case ctx.Err() != nil:
		return errStopped
	case len(p.Losses) == 0:
		return nil
	}
	fmt.Fprintf(a.out, "\nthe data of these would be LOST:\n  %s\n", strings.Join(p.Losses, "\n  "))
	switch {
	case a.confirm == "1":
		fmt.Fprintln(a.out, "CONFIRM=1 is set: going on")
		return nil
	case !a.terminal:
		return errRefused
	}
	fmt.Fprintf(a.out, "type the stack's name, %s, to go on: ", stack)
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.out)
		return errStopped
	case typed := <-a.line():
		if strings.TrimSpace(typed) != stack {
			return errRefused
		}
		return nil
	}
}

// line returns a channel that receives the line that a person types, or an empty string
// if the input ends. Only the end of the process ends a read from a terminal. So no
// caller waits for this goroutine.
func (a asker) line() <-chan string {
	typed := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(a.in).ReadString('\n')
		if err != nil {
			line = ""
		}
		typed <- line
	}()
	return typed
}
