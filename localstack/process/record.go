// Package process starts, records and ends the processes of a local stack.
//
// After a crash, a process id alone identifies nothing: the system may have given it to
// another process. So each process of a stack is recorded by its id and its start time,
// before it starts its program (see recorded.sh). Only a process that matches both is
// ever ended.
package process

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

//go:embed recorded.sh
var recorded []byte

// Record identifies a process of a stack.
type Record struct {
	PID   int
	Start string // as StartTime returns it
	Kind  string // "localstack", "java" or "function"
	Name  string // a function's name
}

// The kinds of processes, in the order in which they have to be ended: a running
// LocalStack would start the others again.
const (
	KindLocalStack = "localstack"
	KindJava       = "java"
	KindFunction   = "function"
)

// WriteScript writes the recording script to path. Its usage is: recorded DIR KIND NAME
// COMMAND...
func WriteScript(path string) error {
	if err := os.WriteFile(path, recorded, 0o755); err != nil {
		return fmt.Errorf("write the recording script: %w", err)
	}
	return nil
}

// Alive returns the records in dir of processes that still run, in the order in which
// they have to be ended. A folder that does not exist has no records.
func Alive(dir string) ([]Record, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("read the records of processes: %w", err)
	}
	var alive []Record
	for _, e := range entries {
		r, ok := read(filepath.Join(dir, e.Name()))
		if !ok {
			continue // incomplete or just removed: its process has not started yet, or has ended
		}
		if start, ok := StartTime(r.PID); ok && start == r.Start {
			alive = append(alive, r)
		}
	}
	order := []string{KindLocalStack, KindJava, KindFunction}
	slices.SortStableFunc(alive, func(a, b Record) int {
		return slices.Index(order, a.Kind) - slices.Index(order, b.Kind)
	})
	return alive, nil
}

func read(path string) (Record, bool) {
	pid, err := strconv.Atoi(filepath.Base(path))
	if err != nil || pid <= 1 {
		return Record{}, false
	}
	data, err := os.ReadFile(path)
	fields := strings.Fields(string(data))
	if err != nil || len(fields) != 3 {
		return Record{}, false
	}
	return Record{PID: pid, Start: fields[0], Kind: fields[1], Name: fields[2]}, true
}
