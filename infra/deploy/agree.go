package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// asker is whom to ask, and how.
type asker struct {
	in       io.Reader
	out      io.Writer
	terminal bool   // a person reads out, and types in
	confirm  string // 1 is a yes in advance
}

var errRefused = errors.New("nothing was changed: what replaces or removes a table or a queue has to be confirmed, " +
	"in a terminal by typing the stack's name, elsewhere by CONFIRM=1")

// agree lists what would be lost, and is nil if that is allowed, or nothing is
// lost.
func agree(p plan, stack string, a asker) error {
	if len(p.Losses) == 0 {
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
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != stack {
		return errRefused
	}
	return nil
}
