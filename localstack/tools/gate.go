package tools

import (
	"context"
	"io"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

// gateCommands returns the Go programs that check the code, in the versions of
// versions.md.
func gateCommands() []string {
	return []string{
		"github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0",
		"golang.org/x/vuln/cmd/govulncheck@v1.9.0",
		"mvdan.cc/gofumpt@v0.12.0",
	}
}

// InstallGate installs the tools that check the code below root/.local/tools. SAM and
// cfn-lint are in the virtual environment `gate`. schemathesis is in its own virtual
// environment, because it needs other versions of packages. Go programs are in `bin`.
func InstallGate(ctx context.Context, root string, log io.Writer) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	found, err := Find(ctx)
	if err != nil {
		return err
	}
	dir := Dir(root)
	lock, err := lockDir(ctx, dir, log)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // nothing is written to it
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return installVenv(ctx, root, filepath.Join(dir, "gate"), "gate.lock", found, log)
	})
	g.Go(func() error {
		return installVenv(ctx, root, filepath.Join(dir, "schemathesis"), "schemathesis.lock", found, log)
	})
	g.Go(func() error {
		bin := filepath.Join(dir, "bin")
		version, err := output(ctx, nil, "go", "env", "GOVERSION")
		if err != nil {
			return err
		}
		return once(log, "golangci-lint, govulncheck, gofumpt", bin, append([]string{version}, gateCommands()...), func() error {
			for _, command := range gateCommands() {
				// The form package@version ignores the versions in go.mod, which do not
				// apply to these programs.
				if err := run(ctx, dir, []string{"GOBIN=" + bin}, "go", "install", command); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return g.Wait()
}
