package stack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"postrider/localstack/deploy"
)

// buildDir is the folder of the functions' programs in a stack's folder.
const buildDir = "build"

func readTemplate(path string) (*deploy.Template, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	return deploy.ParseTemplate(data)
}

// Programs returns the paths of the functions' programs, which Build has built in dir,
// by logical id.
func Programs(template *deploy.Template, dir string) map[string]string {
	programs := map[string]string{}
	for _, id := range template.Functions() {
		programs[id] = filepath.Join(dir, id, "bootstrap")
	}
	return programs
}

// BuildAll builds the functions of the repository at root for a stack whose folder is
// dir. Start builds them again, which then takes only a moment.
func BuildAll(ctx context.Context, root, dir string) error {
	template, err := readTemplate(filepath.Join(root, "template.yaml"))
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	return Build(ctx, root, filepath.Join(dir, buildDir), template.Functions())
}

// Build builds each function of the repository at root, by the Makefile's target that
// SAM uses, but for this machine instead of Lambda. The program of a function is
// <dir>/<logical id>/bootstrap. dir is an absolute path.
func Build(ctx context.Context, root, dir string, functions []string) error {
	for _, id := range functions { // one after the other: they share most of the code
		if err := buildFunction(ctx, root, filepath.Join(dir, id), id); err != nil {
			return err
		}
	}
	return nil
}

func buildFunction(ctx context.Context, root, artifacts, id string) error {
	cmd := exec.CommandContext(ctx, "make", "-s", "build-"+id, "ARTIFACTS_DIR="+artifacts,
		"FUNCTION_GOOS="+runtime.GOOS, "FUNCTION_GOARCH="+runtime.GOARCH)
	cmd.Dir = root
	// The compiler has to end together with make: otherwise CombinedOutput would wait
	// for it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	// Without these variables, this make is not part of the make that may run this
	// process.
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); name != "MAKEFLAGS" && name != "MFLAGS" && name != "MAKELEVEL" && name != "MAKEOVERRIDES" {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", id, err, out)
	}
	return nil
}
