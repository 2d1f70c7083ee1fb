package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// mutation is one way to break the promise.
type mutation struct {
	// name says what the mutation breaks.
	name string
	// file is the path of the changed file below the module's root. old, which occurs in
	// it exactly once, becomes new.
	file, old, new string
	// pkg and test are the package and the name of the test that must fail.
	pkg, test string
}

// verdict is the result of trying a mutation.
type verdict struct {
	// by is the name of the test that failed, "" if none did.
	by   string
	took time.Duration
	// err is why the mutation cannot be judged.
	err error
}

// Time limits of one run of go test: testTime for the test alone, runTime including
// compilation.
const (
	testTime = time.Minute
	runTime  = 10 * time.Minute
)

// mutated returns the text of the file with the mutation. It returns an error if old does
// not occur exactly once.
func (m mutation) mutated(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, m.file)) //nolint:gosec // G304: the list of mutations is ours
	if err != nil {
		return "", fmt.Errorf("%s: %w", m.name, err)
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", fmt.Errorf("%s: stale: its text is %d times in %s:\n%s", m.name, n, m.file, m.old)
	}
	return strings.Replace(string(text), m.old, m.new, 1), nil
}

// try runs the mutation's test over the broken code. Its files go to dir.
func (m mutation) try(ctx context.Context, root, dir string) verdict {
	began := time.Now()
	overlay, err := m.overlay(root, dir)
	if err != nil {
		return verdict{err: err}
	}
	out, err := goTest(ctx, root, m.pkg, []string{m.test}, "-overlay="+overlay)
	by, err := judge(out, err, m.test)
	return verdict{by: by, took: time.Since(began), err: err}
}

// overlay writes the broken file, and the overlay file by which go uses it in place of
// the real one. It returns the path of the overlay file.
func (m mutation) overlay(root, dir string) (string, error) {
	text, err := m.mutated(root)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	broken := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(broken, []byte(text), 0o600); err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, m.file): broken}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, replace, 0o600)
}

// goTest runs some tests of a package, and returns their output. Its error is the error
// of the command.
func goTest(ctx context.Context, root, pkg string, tests []string, more ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	// Without vet: a mutation may fail its checks.
	args := append([]string{"test", "-count=1", "-v", "-vet=off", "-timeout=" + testTime.String(), "-run=^(" + strings.Join(tests, "|") + ")$"}, more...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...) //nolint:gosec // G204: the list of mutations is ours
	cmd.Dir = root
	// On an interrupt go ends the test that it has started.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return string(out), err
}

// judge reads from go test's output which test has failed; by is "" if the test passed. A
// problem means that neither is certain: only a test that itself reports a failure has
// found the mutation.
func judge(out string, err error, test string) (by string, problem error) {
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		return "", err
	case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
		return "", fmt.Errorf("it does not compile:\n%s", tail(out))
	case strings.Contains(out, "panic: test timed out"):
		return "", fmt.Errorf("%s does not end", test)
	case failed(out, test):
		return test, nil
	case err == nil && passed(out, test):
		return "", nil
	case err == nil:
		return "", fmt.Errorf("there is no test %s", test)
	}
	return "", fmt.Errorf("go test fails, and no test does:\n%s", tail(out))
}

func failed(out, test string) bool { return printed(out, "FAIL", test) }

func passed(out, test string) bool { return printed(out, "PASS", test) }

func printed(out, what, test string) bool {
	return regexp.MustCompile(`(?m)^--- ` + what + `: ` + regexp.QuoteMeta(test) + ` `).MatchString(out)
}

// tail returns the end of an output.
func tail(out string) string {
	const enough = 2000
	return out[max(0, len(out)-enough):]
}

// unmutated demands that all tests pass over the unchanged code.
func unmutated(ctx context.Context, root string, all []mutation) error {
	tests := map[string][]string{}
	for _, m := range all {
		if !slices.Contains(tests[m.pkg], m.test) {
			tests[m.pkg] = append(tests[m.pkg], m.test)
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(tests)) {
		out, err := goTest(ctx, root, pkg, tests[pkg])
		if err != nil {
			return fmt.Errorf("the tests of %s fail as it is: %w\n%s", pkg, err, tail(out))
		}
		for _, test := range tests[pkg] {
			if !passed(out, test) {
				return fmt.Errorf("%s has no %s", pkg, test)
			}
		}
	}
	return nil
}
