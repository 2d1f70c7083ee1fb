// Package stacktest starts stacks for tests of deployments.
package stacktest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"postrider/localstack/fakeprovider"
	"postrider/localstack/stack"
)

// Empty starts a LocalStack and a fake provider, of the repository at root, and deploys
// nothing. The stack ends with the test. dir is the stack's folder, and name
// distinguishes it from the folders of other tests. If the test fails, the folder
// stays, for its logs.
func Empty(tb testing.TB, root, name string) (s *stack.Stack, dir string) {
	tb.Helper()
	dir = filepath.Join(root, ".local", "test", fmt.Sprint(name, "-", os.Getpid()))
	return start(tb, root, dir, stack.Ports{}), dir
}

// Restart ends the stack that Empty has started, and starts it again at the same
// addresses. It is then empty again.
func Restart(tb testing.TB, root, dir string, old *stack.Stack) *stack.Stack {
	tb.Helper()
	if err := old.Close(); err != nil {
		tb.Fatal(err)
	}
	var ports stack.Ports
	for address, port := range map[string]*int{old.BaseURL: &ports.Proxy, old.FakeProviderURL: &ports.FakeProvider, old.EndpointURL: &ports.LocalStack} {
		if _, err := fmt.Sscanf(address, "http://localhost:%d", port); err != nil {
			tb.Fatalf("%s: %v", address, err)
		}
	}
	return start(tb, root, dir, ports)
}

func start(tb testing.TB, root, dir string, ports stack.Ports) *stack.Stack {
	tb.Helper()
	s, err := stack.Start(tb.Context(), stack.Options{
		Root: root, Dir: dir, Ports: ports, FakeProvider: fakeprovider.New(), Undeployed: true, Log: tb.Output(),
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
	return s
}
