package stack

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
)

func occupied(t *testing.T, address string) int {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return portOf(l)
}

// tryPorts takes ports and lets them go.
func tryPorts(t *testing.T, ports Ports) error {
	t.Helper()
	l, err := listen(t.Context(), ports)
	l.close()
	return err
}

func TestEveryPortThatIsTakenIsTold(t *testing.T) {
	front, localStack := occupied(t, "127.0.0.1:0"), occupied(t, ":0")
	err := tryPorts(t, Ports{Proxy: front, LocalStack: localStack})
	if err == nil {
		t.Fatal("no port is taken")
	}
	for _, want := range []string{fmt.Sprintf("port %d, for the API, is taken", front), "PORT=", fmt.Sprintf("port %d, for LocalStack, is taken", localStack), "LOCALSTACK_PORT="} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "FAKE_PROVIDER_PORT") {
		t.Errorf("a free port is reported, too: %v", err)
	}
	if strings.Contains(err.Error(), " by ") && !strings.Contains(err.Error(), fmt.Sprintf("(pid %d)", os.Getpid())) {
		t.Errorf("another process than this one is named: %v", err)
	}
}

func TestAPortThatIsTakenOnIPv6OnlyIsTaken(t *testing.T) {
	port := occupied(t, "[::1]:0")
	if err := tryPorts(t, Ports{FakeProvider: port}); err == nil || !strings.Contains(err.Error(), "FAKE_PROVIDER_PORT=") {
		t.Errorf("listen = %v", err)
	}
}

func TestFreePortsAreFreeOnBothAddressesAndAgainAfterTheCheck(t *testing.T) {
	l, err := listen(t.Context(), Ports{})
	if err != nil {
		t.Fatal(err)
	}
	ports := Ports{Proxy: port(l.proxy), FakeProvider: port(l.fakeProvider), LocalStack: port(l.localStack)}
	l.close()
	for range 2 {
		if err := tryPorts(t, ports); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAPortThatBecomesFreeIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = l.Accept() // listen looks for a listener, and finds this one
		_ = l.Close()
	}()
	if err := tryPorts(t, Ports{Proxy: portOf(l)}); err != nil {
		t.Error(err)
	}
}
