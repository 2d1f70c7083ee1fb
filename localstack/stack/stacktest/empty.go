// Package stacktest starts what tests of deployments begin with.
package stacktest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"postrider/localstack/stack"
	"postrider/localstack/standin"
	"postrider/localstack/tools"
)

// Empty starts a LocalStack with a stand-in to which nothing is deployed, of the
// repository at root. It ends with the test. dir is its folder, name tells it
// from that of others; it stays if the test fails, for its logs.
func Empty(tb testing.TB, root, name string) (s *stack.Stack, dir string) {
	tb.Helper()
	installed, err := tools.Install(tb.Context(), root, tb.Output())
	if err != nil {
		tb.Fatal(err)
	}
	dir = filepath.Join(root, ".local", "test", fmt.Sprint(name, "-", os.Getpid()))
	s, err = stack.Start(tb.Context(), stack.Options{
		Root: root, Dir: dir, Tools: installed, StandIn: standin.New(), Undeployed: true, Log: tb.Output(),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
		if !tb.Failed() {
			_ = os.RemoveAll(dir)
		}
	})
	return s, dir
}
