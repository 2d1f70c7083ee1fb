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

	"golang.org/x/sync/errgroup"

	"postrider/localstack/deploy"
	"postrider/localstack/process"
)

// Build builds the functions of a stack that is not started yet. Start builds
// them again, in a moment: this is to be done while tools are installed.
func Build(ctx context.Context, root, dir string) error {
	template, err := readTemplate(filepath.Join(root, "template.yaml"))
	if err != nil {
		return err
	}
	if root, err = filepath.Abs(root); err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	s := &Stack{opts: Options{Root: root, Dir: dir}}
	_, err = s.build(ctx, template.Functions())
	return err
}

func readTemplate(path string) (*deploy.Template, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	return deploy.ParseTemplate(data)
}

// build builds each function through the Makefile's target that SAM uses, for
// this machine instead of Lambda's, and returns their programs.
func (s *Stack) build(ctx context.Context, functions []string) (map[string]string, error) {
	programs := map[string]string{}
	dir := s.opts.Built
	if dir == "" {
		dir = filepath.Join(s.opts.Dir, "build")
	}
	for _, id := range functions {
		programs[id] = filepath.Join(dir, id, "bootstrap")
	}
	if s.opts.Built != "" || len(functions) == 0 {
		return programs, nil
	}
	// The first alone: it compiles what all of them share.
	if err := s.make(ctx, functions[0], filepath.Dir(programs[functions[0]])); err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, id := range functions[1:] {
		g.Go(func() error { return s.make(ctx, id, filepath.Dir(programs[id])) })
	}
	return programs, g.Wait()
}

func (s *Stack) make(ctx context.Context, id, artifacts string) error {
	cmd := exec.CommandContext(ctx, "make", "-s", "build-"+id, "ARTIFACTS_DIR="+artifacts,
		"FUNCTION_GOOS="+runtime.GOOS, "FUNCTION_GOARCH="+runtime.GOARCH)
	cmd.Dir = s.opts.Root
	// The compiler ends with make: it would be waited for otherwise.
	process.InOwnGroup(cmd)
	cmd.Cancel = func() error { return process.SignalGroup(cmd.Process.Pid, syscall.SIGKILL) }
	// Run by make, but not as a part of that make.
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
