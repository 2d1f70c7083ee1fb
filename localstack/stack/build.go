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

// Build builds the functions before a stack is started, while tools are being
// installed. Start builds them again, which then takes only a moment.
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

// build builds each function by the Makefile's target that SAM uses, but for this
// machine instead of Lambda. It returns the paths of the programs by logical id. If
// Options.Built is set, it builds nothing.
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
	// The first one is built alone: it compiles the code that all of them share.
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
	// The compiler has to end together with make: otherwise CombinedOutput would wait
	// for it.
	process.InOwnGroup(cmd)
	cmd.Cancel = func() error { return process.SignalGroup(cmd.Process.Pid, syscall.SIGKILL) }
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
