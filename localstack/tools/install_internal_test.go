package tools

import (
	"archive/zip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnInstallationIsDoneOnceForTheSameInputs(t *testing.T) {
	target := filepath.Join(t.TempDir(), "tool")
	done := 0
	install := func() error {
		done++
		return os.MkdirAll(target, 0o750)
	}
	for i, inputs := range [][]string{{"a"}, {"a"}, {"b"}, {"b"}} {
		if err := once(io.Discard, "a tool", target, inputs, install); err != nil {
			t.Fatal(err)
		}
		if want := i/2 + 1; done != want {
			t.Fatalf("after inputs %d it was installed %d times, want %d", i, done, want)
		}
	}
	if err := os.RemoveAll(target); err != nil {
		t.Fatal(err)
	}
	if err := once(io.Discard, "a tool", target, []string{"b"}, install); err != nil || done != 3 {
		t.Errorf("what was removed is not installed again: %v", err)
	}
}

func TestHalfAnInstallationIsNotTrusted(t *testing.T) {
	target := filepath.Join(t.TempDir(), "tool")
	if err := once(io.Discard, "a tool", target, []string{"a"}, func() error { return os.MkdirAll(target, 0o750) }); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the network is gone")
	if err := once(io.Discard, "a tool", target, []string{"b"}, func() error { return broken }); !errors.Is(err, broken) {
		t.Fatalf("once = %v", err)
	}
	again := false
	for _, input := range []string{"b", "a"} { // "a" was complete before, and has to be installed again, too
		if err := once(io.Discard, "a tool", target, []string{input}, func() error { again = true; return nil }); err != nil {
			t.Fatal(err)
		}
		if !again {
			t.Errorf("half an installation was taken for %s", input)
		}
		again = false
	}
}

func TestTheLauncherNamesEveryJarInFoldedLines(t *testing.T) {
	dir := t.TempDir()
	libs := filepath.Join(dir, "DynamoDBLocal_lib")
	if err := os.Mkdir(libs, 0o750); err != nil {
		t.Fatal(err)
	}
	names := []string{"a-rather-long-name-of-a-jar-1.0.0.jar", "another-rather-long-name-of-a-jar-2.0.0.jar", "short.jar"}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(libs, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeLauncher(dir, libs); err != nil {
		t.Fatal(err)
	}
	z, err := zip.OpenReader(filepath.Join(dir, "DynamoDBLocal.jar"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	file, err := z.Open("META-INF/MANIFEST.MF")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(manifest), "\r\n") {
		if len(line) > 72 {
			t.Errorf("a line of %d bytes: %s", len(line), line)
		}
	}
	unfolded := strings.ReplaceAll(string(manifest), "\r\n ", "")
	for _, name := range names {
		if !strings.Contains(unfolded, " DynamoDBLocal_lib/"+name) {
			t.Errorf("no %s in %s", name, unfolded)
		}
	}
}

func TestLocksHoldPinsOnly(t *testing.T) {
	for _, lock := range []string{"localstack.lock", "gate.lock", "schemathesis.lock"} {
		data, err := os.ReadFile(lock)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); strings.Count(line, "==") != 1 || strings.ContainsAny(line, " @/:") {
				t.Errorf("%s: %q is not name==version", lock, line)
			}
		}
	}
}
