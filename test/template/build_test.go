//go:build integration

// Package template_test checks template.yaml by what SAM makes of it.
package template_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// maxPackage is the most that a function's package may have: Lambda loads it for
// each new environment.
const maxPackage = 12_000_000

// packaged is the size of the package that a program is deployed as.
func packaged(t *testing.T, program []byte) int {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("bootstrap")
	if err == nil {
		_, err = w.Write(program)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Len()
}

func TestSAMBuildsThreeStaticProgramsThatDiffer(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "build")
	sam := filepath.Join(root, ".local", "tools", "gate", "bin", "sam")
	build := exec.CommandContext(t.Context(), sam, "build", "--template", filepath.Join(root, "template.yaml"), "--build-dir", out, "--region", "us-east-1")
	build.Dir = root
	build.Env = append(os.Environ(), "SAM_CLI_TELEMETRY=0")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("sam build (`make gate-tools` installs it): %v\n%s", err, said)
	}
	seen := map[[sha256.Size]byte]string{}
	for _, function := range []string{"ApiFunction", "SchedulerFunction", "SenderFunction"} {
		program := filepath.Join(out, function, "bootstrap")
		raw, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[sha256.Sum256(raw)]; ok {
			t.Errorf("%s and %s are the same program", function, other)
		}
		seen[sha256.Sum256(raw)] = function
		parsed, err := elf.Open(program)
		if err != nil {
			t.Fatalf("%s: %v", function, err)
		}
		for _, p := range parsed.Progs {
			if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
				t.Errorf("%s is linked dynamically", function)
			}
		}
		if err := parsed.Close(); err != nil {
			t.Error(err)
		}
		entries, err := os.ReadDir(filepath.Join(out, function))
		if err != nil || len(entries) != 1 {
			t.Errorf("%s: %d files beside each other, %v", function, len(entries), err)
		}
		size := packaged(t, raw)
		if size >= maxPackage {
			t.Errorf("%s: its package has %d bytes", function, size)
		}
		t.Logf("figure: %s: %.1f MB, static; %.1f MB as a package", function, float64(len(raw))/1e6, float64(size)/1e6)
	}
}
