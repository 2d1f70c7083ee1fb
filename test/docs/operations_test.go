package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// preamble returns the variables and shell functions that the commands of the operations
// page use.
func preamble(t *testing.T) string {
	t.Helper()
	_, text, found := strings.Cut(documents(t)["docs/operations.md"], "shell functions:\n\n")
	block, _, ended := strings.Cut(text, "\n\n")
	if !found || !ended {
		t.Fatal("docs/operations.md has no block of shell functions")
	}
	return strings.ReplaceAll("\n"+block, "\n    ", "\n") + "\n"
}

// shell runs a script after the preamble. The AWS CLI is a program that prints its
// arguments, of this version.
func shell(t *testing.T, version, script string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	cli := "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'aws-cli/" + version + "'; else echo \"called $*\"; fi\n"
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(cli), 0o700); err != nil { //nolint:gosec // G306: it is a program
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", preamble(t)+script)
	cmd.Env = []string{"PATH=" + dir + ":/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestTheCommandsOfTheOperationsPageNameTheirEndpoint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ version, script, want string }{
		{"2.31.0 Python/3.13", "aws sqs purge-queue --queue-url x", "called sqs purge-queue --queue-url x"},
		{"2.31.0 Python/3.13", "ENDPOINT=http://127.0.0.1:4566; aws sqs purge-queue --queue-url x", "called --endpoint-url http://127.0.0.1:4566 sqs purge-queue --queue-url x"},
		{"2.31.0 Python/3.13", "ENDPOINT=http://127.0.0.1:4566; queue Tasks", "called --endpoint-url http://127.0.0.1:4566 sqs get-queue-url"},
	} {
		if out, err := shell(t, c.version, c.script); err != nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v, %q; want %q", c.script, err, out, c.want)
		}
	}
	for _, version := range []string{"1.45.11 Python/3.11.7", "20.0"} {
		if out, err := shell(t, version, "aws sqs purge-queue --queue-url x"); err == nil || strings.Contains(out, "called") || !strings.Contains(out, "AWS CLI 2") {
			t.Errorf("version %s: %v, %q", version, err, out)
		}
	}
}

// TestEachCommandOfTheOperationsPageIsAShellCommand reads all blocks of commands as bash does,
// without running them.
func TestEachCommandOfTheOperationsPageIsAShellCommand(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile(`(?m)(?:^    .*\n)+`).FindAllString(documents(t)["docs/operations.md"], -1)
	if len(blocks) < 10 {
		t.Fatalf("only %d blocks of commands", len(blocks))
	}
	for _, block := range blocks {
		cmd := exec.CommandContext(t.Context(), "bash", "-n")
		cmd.Stdin = strings.NewReader(block)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s\n%s", err, out, block)
		}
	}
}
