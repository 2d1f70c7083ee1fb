package main

import (
	"context"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

func TestEachMutationAppliesToTheCodeAsItIs(t *testing.T) {
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			if names[m.name] {
				t.Error("its name is taken")
			}
			names[m.name] = true
			text, err := m.mutated(root)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.ParseFile(token.NewFileSet(), m.file, text, parser.SkipObjectResolution); err != nil {
				t.Errorf("it is no Go: %v", err)
			}
			if !defined(t, filepath.Join(root, m.pkg), m.test) {
				t.Errorf("%s has no %s", m.pkg, m.test)
			}
		})
	}
}

// defined reports whether a package has a test.
func defined(t *testing.T, dir, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	head := regexp.MustCompile(`(?m)^func ` + test + `\(t \*testing\.T\)`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if head.Match(text) {
			return true
		}
	}
	return false
}

func TestOnlyATestThatFailsByItsOwnWordHasCaughtAnything(t *testing.T) {
	t.Parallel()
	exit := &exec.ExitError{}
	for _, test := range []struct {
		name, out string
		err       error
		by        string
		unclear   bool
	}{
		{"it fails", "=== RUN   TestX\n    x_test.go:3: no\n--- FAIL: TestX (0.00s)\nFAIL\n", exit, "TestX", false},
		{"it panics", "--- FAIL: TestX (0.00s)\npanic: no [recovered]\nFAIL\n", exit, "TestX", false},
		{"it passes", "--- PASS: TestX (0.00s)\nPASS\nok\n", nil, "", false},
		{"another fails", "--- FAIL: TestXY (0.00s)\n--- PASS: TestX (0.00s)\nFAIL\n", exit, "", true},
		{"there is none", "testing: warning: no tests to run\nPASS\nok\n", nil, "", true},
		{"it does not compile", "FAIL\tpostrider/internal/x [build failed]\nFAIL\n", exit, "", true},
		{"it does not end", "panic: test timed out after 1m0s\n--- FAIL: TestX (60.00s)\nFAIL\n", exit, "", true},
		{"a goroutine leaks", "--- PASS: TestX (0.00s)\ngoleak: Errors on successful test run\nFAIL\n", exit, "", true},
		{"it is killed", "", context.Canceled, "", true},
	} {
		by, problem := judge(test.out, test.err, "TestX")
		if by != test.by || (problem != nil) != test.unclear {
			t.Errorf("%s: caught by %q, %v", test.name, by, problem)
		}
	}
}
