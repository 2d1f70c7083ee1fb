package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// functionLog matches the name of a function's log: the stack, the logical id, and a
// random part.
var functionLog = regexp.MustCompile(`^postrider-(.+)Function-[^-]+\.log$`)

// recent is how many of the last existing lines of each log are shown.
const recent = 50

// followLogs shows the functions' new log lines, each after its function's short name,
// until Ctrl-C or the end of the stack.
func followLogs(ctx context.Context, out io.Writer) error {
	if _, err := os.Stat(logDir); err != nil {
		return errors.New("there are no logs: start the stack with make run or make up")
	}
	following := map[string]*follower{}
	for first := true; ; first = false {
		ended := errors.Is(ask(ctx, http.MethodGet, "/status", nil, nil), errNothingRuns) // asked before the lines are read: after the end no more lines come
		for path, function := range functionLogs() {
			if following[path] == nil {
				following[path] = &follower{path: path, out: &prefixer{out: out, prefix: fmt.Sprintf("%-9s | ", function)}}
				if first {
					following[path].skipAllBut(recent)
				}
			}
			following[path].copy()
		}
		if ended {
			fmt.Fprintln(out, "the stack has ended")
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// functionLogs returns the existing logs in the order of their paths, each with its
// function's short name.
func functionLogs() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		paths, _ := filepath.Glob(filepath.Join(logDir, "*.log")) // the pattern is valid
		for _, path := range paths {
			if m := functionLog.FindStringSubmatch(filepath.Base(path)); m != nil && !yield(path, strings.ToLower(m[1])) {
				return
			}
		}
	}
}

// functionErrors returns the last error that each function has logged, one line each.
func functionErrors() string {
	var b strings.Builder
	for path, function := range functionLogs() {
		data, _ := os.ReadFile(path)
		lines := strings.Split(string(data), "\n")
		for _, line := range slices.Backward(lines) {
			if strings.Contains(line, `"level":"ERROR"`) {
				fmt.Fprintf(&b, "  %-9s | %s\n", function, line)
				break
			}
		}
	}
	return b.String()
}

// prefixer writes whole lines, each after a prefix. It keeps an incomplete line until
// its end arrives.
type prefixer struct {
	out    io.Writer
	prefix string
	rest   []byte
}

func (p *prefixer) Write(b []byte) (int, error) {
	p.rest = append(p.rest, b...)
	for {
		line, rest, ok := bytes.Cut(p.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		if _, err := fmt.Fprintf(p.out, "%s%s\n", p.prefix, line); err != nil {
			return 0, err
		}
		p.rest = rest
	}
}
