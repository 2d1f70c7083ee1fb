// Command mutate breaks the promise on purpose, in one place at a time, and demands that
// a test fails. The work tree stays unchanged: a mutated file is in a temporary folder,
// and go test uses it in place of the real one (-overlay).
//
// With an argument it applies only the mutations whose names contain it.
//
// It fails if a mutation survives. It also fails if a mutation cannot be judged: its text
// is not in the file any more, it does not compile, or its test is gone.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// atOnce is how many mutations are tried at the same time.
const atOnce = 2

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := run(ctx, strings.Join(os.Args[1:], " "))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run tries the mutations whose names contain part, and reports whether all of them were
// caught.
func run(ctx context.Context, part string) (caught bool, err error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return false, err
	}
	var chosen []mutation
	for _, m := range mutations {
		if strings.Contains(m.name, part) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return false, fmt.Errorf("no mutation is called %q", part)
	}
	// All errors in the list are reported before anything is run.
	for _, m := range chosen {
		if _, err := m.mutated(root); err != nil {
			return false, err
		}
	}
	if err := unmutated(ctx, root, chosen); err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a folder that stays there does no harm
	t := &tally{}
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, m := range chosen {
		group.Go(func() error {
			v := m.try(ctx, root, filepath.Join(dir, strconv.Itoa(i)))
			if err := ctx.Err(); err != nil {
				return err
			}
			t.count(m, v)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return false, err
	}
	return t.sum(), nil
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("look for the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// tally prints and counts verdicts.
type tally struct {
	mu                        sync.Mutex
	caught, survived, unclear int
}

func (t *tally) count(m mutation, v verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	took := v.took.Round(100 * time.Millisecond).Seconds()
	switch {
	case v.err != nil:
		t.unclear++
		fmt.Printf("%s: NOT JUDGED (%.1f s): %v\n", m.name, took, v.err)
	case v.by == "":
		t.survived++
		fmt.Printf("%s: SURVIVED %s (%.1f s)\n", m.name, m.test, took)
	default:
		t.caught++
		fmt.Printf("%s: caught by %s (%.1f s)\n", m.name, v.by, took)
	}
}

// sum prints the last line, and reports whether all mutations were caught.
func (t *tally) sum() bool {
	fmt.Printf("%d mutations, %d caught", t.caught+t.survived+t.unclear, t.caught)
	if t.survived > 0 {
		fmt.Printf(", %d survived", t.survived)
	}
	if t.unclear > 0 {
		fmt.Printf(", %d not judged", t.unclear)
	}
	fmt.Println()
	return t.survived+t.unclear == 0
}
