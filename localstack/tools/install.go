package tools

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"postrider/localstack/process"
)

// Installed holds the paths of the local stack's tools.
type Installed struct {
	Python   string // of LocalStack's virtual environment
	DynamoDB string // DynamoDB Local's folder, in the layout that LocalStack expects
	JavaHome string
}

// Install installs LocalStack, its executor plugin and DynamoDB Local below
// root/.local/tools. It keeps a complete installation from the same lock files, and
// replaces any other.
func Install(ctx context.Context, root string, log io.Writer) (_ Installed, err error) {
	if root, err = filepath.Abs(root); err != nil {
		return Installed{}, err
	}
	found, err := Find(ctx)
	if err != nil {
		return Installed{}, err
	}
	dir := Dir(root)
	lock, err := lockDir(ctx, dir, log)
	if err != nil {
		return Installed{}, err
	}
	defer func() { _ = lock.Close() }() // nothing is written to it
	venv, dynamodb := filepath.Join(dir, "localstack"), filepath.Join(dir, "dynamodb")
	g, ctx := errgroup.WithContext(ctx) // in parallel, because each of them mostly waits for the network
	g.Go(func() error {
		// Compiling takes two thirds of the time, and few of all these modules are ever
		// imported.
		if err := installVenv(ctx, root, venv, "localstack.lock", found, log, "--no-compile"); err != nil {
			return err
		}
		return installExecutor(ctx, root, venv, log)
	})
	g.Go(func() error { return installDynamoDB(ctx, root, dynamodb, found, log) })
	if err := g.Wait(); err != nil {
		return Installed{}, err
	}
	return Installed{Python: filepath.Join(venv, "bin", "python"), DynamoDB: dynamodb, JavaHome: found.JavaHome}, nil
}

// Dir returns the folder of the tools, below the repository's root.
func Dir(root string) string { return filepath.Join(root, ".local", "tools") }

// lockDir waits until no other process installs to dir: `make run` and the tests share
// it.
func lockDir(ctx context.Context, dir string, log io.Writer) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	for waited := false; ; waited = true {
		lock, err := process.Lock(filepath.Join(dir, "lock"))
		if !errors.Is(err, process.ErrLocked) {
			return lock, err
		}
		if !waited {
			fmt.Fprintf(log, "waiting for another installation to end: %v\n", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// once runs install unless an installation with the same inputs is complete. It removes
// the stamp first and writes it last, so that an incomplete installation is never
// trusted.
func once(log io.Writer, what, target string, inputs []string, install func() error) error {
	want := hash(inputs)
	stamp := target + ".stamp"
	if have, err := os.ReadFile(stamp); err == nil && string(have) == want {
		if _, err := os.Stat(target); err == nil {
			return nil
		}
	}
	if err := os.Remove(stamp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("install %s: %w", what, err)
	}
	start := time.Now()
	fmt.Fprintf(log, "installing %s ...\n", what)
	if err := install(); err != nil {
		return fmt.Errorf("install %s: %w", what, err)
	}
	fmt.Fprintf(log, "installed %s in %.0f s\n", what, time.Since(start).Seconds())
	return os.WriteFile(stamp, []byte(want), 0o644)
}

func hash(inputs []string) string {
	h := sha256.New()
	for _, s := range append(inputs, runtime.GOOS, runtime.GOARCH) {
		fmt.Fprintf(h, "%d:%s\n", len(s), s)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// content returns the files' paths and contents, as inputs of a stamp.
func content(root string, patterns ...string) ([]string, error) {
	var inputs []string
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(paths) == 0 {
			return nil, fmt.Errorf("no file %s below %s: %w", pattern, root, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			inputs = append(inputs, path, string(data))
		}
	}
	return inputs, nil
}

// installVenv makes a virtual environment with the packages of a lock file.
func installVenv(ctx context.Context, root, venv, lock string, found Found, log io.Writer, options ...string) error {
	inputs, err := content(root, filepath.Join("localstack", "tools", lock))
	if err != nil {
		return err
	}
	inputs = append(inputs, found.Python, found.PythonVersion)
	return once(log, filepath.Base(venv)+" (Python packages)", venv, inputs, func() error {
		if err := os.RemoveAll(venv); err != nil {
			return err
		}
		if err := run(ctx, "", nil, found.Python, "-m", "venv", venv); err != nil {
			return err
		}
		// The lock is complete, so pip need not resolve dependencies.
		python := filepath.Join(venv, "bin", "python")
		return run(ctx, "", nil, python, slices.Concat([]string{
			"-m", "pip", "install", "-q", "--no-input", "--disable-pip-version-check", "--no-deps",
			"-r", filepath.Join(root, "localstack", "tools", lock),
		}, options)...)
	})
}

// installExecutor installs LocalStack's executor plugin into the virtual environment.
func installExecutor(ctx context.Context, root, venv string, log io.Writer) error {
	source := filepath.Join(root, "localstack", "executor")
	inputs, err := content(source, "pyproject.toml", "postrider_executor/*.py")
	if err != nil {
		return err
	}
	stamp, err := os.ReadFile(venv + ".stamp") // a new virtual environment needs the plugin again
	if err != nil {
		return err
	}
	info, err := os.Stat(venv)
	if err != nil {
		return err
	}
	inputs = append(inputs, string(stamp), info.ModTime().String())
	target := venv + "-executor"
	return once(log, "LocalStack's executor plugin", target, inputs, func() error {
		// The source is copied first: setuptools writes beside what it builds.
		if err := os.RemoveAll(target); err != nil {
			return err
		}
		if err := os.CopyFS(target, os.DirFS(source)); err != nil {
			return err
		}
		return run(ctx, "", nil, filepath.Join(venv, "bin", "python"), "-m", "pip", "install", "-q", "--no-input",
			"--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index", "--force-reinstall", target)
	})
}

// run runs a command to its end. On failure the error contains the end of its output.
func run(ctx context.Context, dir string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, tail(out, 2000))
	}
	return nil
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }
