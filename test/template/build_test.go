//go:build integration

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
	"slices"
	"strings"
	"testing"

	"postrider/internal/cfn"
)

// maxPackage is the largest allowed size of a function's package, in bytes: Lambda loads
// it for each new environment.
const maxPackage = 12_000_000

// packaged returns the size of the package in which a program is deployed.
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

// machines are the processors that the template's parameter Architecture allows.
var machines = map[string]elf.Machine{"x86_64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// build runs sam build for these functions, or all of them if none is named, and returns
// the folder of the results. Only the given variables select the processor.
func build(t *testing.T, variables []string, functions ...string) (out string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	out = filepath.Join(t.TempDir(), "build")
	arguments := append([]string{"build"}, functions...)
	arguments = append(arguments, "--template", filepath.Join(root, "template.yaml"), "--build-dir", out, "--region", "us-east-1")
	sam := exec.CommandContext(t.Context(), filepath.Join(root, ".local", "tools", "gate", "bin", "sam"), arguments...)
	sam.Dir, sam.Env = root, slices.Concat(slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return name == "ARCHITECTURE" || strings.HasPrefix(name, "FUNCTION_")
	}), []string{"SAM_CLI_TELEMETRY=0"}, variables)
	if said, err := sam.CombinedOutput(); err != nil {
		t.Fatalf("sam build (`make gate-tools` installs it): %v\n%s", err, said)
	}
	return out
}

// inspect demands that a program is a static one for a processor.
func inspect(t *testing.T, program string, machine elf.Machine) {
	t.Helper()
	parsed, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = parsed.Close() }()
	if parsed.Machine != machine {
		t.Errorf("%s is for %v, not for %v", program, parsed.Machine, machine)
	}
	for _, p := range parsed.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("%s is linked dynamically", program)
		}
	}
}

// TestSAMBuildsThreeStaticProgramsThatDiffer builds without a selected processor. The
// programs must be for the processor that the template deploys by default.
func TestSAMBuildsThreeStaticProgramsThatDiffer(t *testing.T) {
	byDefault := cfn.Text(cfn.At(readTemplate(t)["Parameters"], "Architecture", "Default"))
	out := build(t, nil)
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
		inspect(t, program, machines[byDefault])
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

// TestSAMBuildsForTheProcessorThatIsAskedFor builds one function, because all of them are
// built by the same rule.
func TestSAMBuildsForTheProcessorThatIsAskedFor(t *testing.T) {
	for architecture, machine := range machines {
		out := build(t, []string{"ARCHITECTURE=" + architecture}, "SenderFunction")
		inspect(t, filepath.Join(out, "SenderFunction", "bootstrap"), machine)
	}
}
