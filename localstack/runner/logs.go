package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// functionLog is the name of a function's log: the stack's, the logical id, something random.
var functionLog = regexp.MustCompile(`^postrider-(.+)Function-[^-]+\.log$`)

// followLogs shows the functions' lines as they come, each after its function's
// short name, until Ctrl-C.
func followLogs(e *ending) error {
	dir := filepath.Join(stackDir, "logs")
	if _, err := os.Stat(dir); err != nil {
		return errors.New("there are no logs: start the stack with make run or make up")
	}
	following := map[string]*follower{}
	for {
		paths, err := filepath.Glob(filepath.Join(dir, "*.log"))
		if err != nil {
			return err
		}
		for _, path := range paths {
			if m := functionLog.FindStringSubmatch(filepath.Base(path)); m != nil && following[path] == nil {
				prefix := fmt.Sprintf("%-9s | ", strings.ToLower(m[1]))
				following[path] = &follower{path: path, out: &prefixer{out: os.Stdout, prefix: prefix}}
			}
		}
		for _, f := range following {
			f.copy()
		}
		select {
		case <-e.first.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// A prefixer writes whole lines after a prefix; the start of a line waits for its end.
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
