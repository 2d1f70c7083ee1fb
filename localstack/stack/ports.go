package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// listeners hold the ports of a stack before anything is started.
type listeners struct {
	proxy, fakeProvider, localStack []net.Listener
}

// patience is how long listen waits for ports that are taken. The processes of a stack
// that was killed hold them for a moment more.
const patience = 2 * time.Second

// listen takes all three ports, or returns an error for each one that is taken.
func listen(ctx context.Context, p Ports) (listeners, error) {
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var l listeners
	var errs [3]error
	l.proxy, errs[0] = take(ctx, patient.Done(), p.Proxy, "PORT", "the API")
	l.fakeProvider, errs[1] = take(ctx, patient.Done(), p.FakeProvider, "FAKE_PROVIDER_PORT", "the fake provider")
	l.localStack, errs[2] = take(ctx, patient.Done(), p.LocalStack, "LOCALSTACK_PORT", "LocalStack")
	if err := errors.Join(errs[:]...); err != nil {
		l.close()
		return listeners{}, errors.Join(err, ctx.Err())
	}
	return l, nil
}

func (l listeners) close() {
	for _, all := range [][]net.Listener{l.proxy, l.fakeProvider, l.localStack} {
		closeAll(all)
	}
}

func closeAll(all []net.Listener) {
	for _, l := range all {
		_ = l.Close() // it has served no request, or its server has closed it
	}
}

func port(all []net.Listener) int { return portOf(all[0]) }

// portOf returns the port of a TCP listener, or 0 for any other listener.
func portOf(l net.Listener) int {
	if address, ok := l.Addr().(*net.TCPAddr); ok {
		return address.Port
	}
	return 0
}

// take listens on one port of 127.0.0.1 and, if the machine has IPv6, of ::1. It tries
// until it succeeds or tooLate is closed.
func take(ctx context.Context, tooLate <-chan struct{}, wanted int, variable, what string) ([]net.Listener, error) {
	for {
		all, err := both(ctx, wanted)
		if err == nil {
			return all, nil
		}
		select {
		case <-tooLate:
			return nil, fmt.Errorf("port %d, for %s, is taken%s: end that, or choose another with %s=", wanted, what, holder(ctx, wanted), variable)
		case <-time.After(20 * time.Millisecond): // a port of 0 is another one then
		}
	}
}

func both(ctx context.Context, wanted int) ([]net.Listener, error) {
	// macOS allows a listener on 127.0.0.1 beside a process that listens on all
	// addresses.
	if wanted != 0 && answers(ctx, wanted) {
		return nil, syscall.EADDRINUSE
	}
	var config net.ListenConfig
	v4, err := config.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(wanted)))
	if err != nil {
		return nil, err
	}
	v6, err := config.Listen(ctx, "tcp6", net.JoinHostPort("::1", strconv.Itoa(portOf(v4))))
	switch {
	case err == nil:
		return []net.Listener{v4, v6}, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, errors.Join(err, v4.Close())
	}
	return []net.Listener{v4}, nil // this machine has no IPv6
}

func answers(ctx context.Context, port int) bool {
	dialer := net.Dialer{Timeout: time.Second}
	c, err := dialer.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = c.Close() // nothing was sent
	return true
}

// holder returns " by " and the process that listens on a port, as lsof or ss shows it,
// or "" if neither does.
func holder(ctx context.Context, port int) string {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	for command, answer := range map[string]string{
		"lsof -nP -sTCP:LISTEN -Fpc -iTCP:": `p(?P<pid>\d+)\nc(?P<name>.+)`,
		"ss -Hltnp sport = :":               `\("(?P<name>[^"]+)",pid=(?P<pid>\d+)`,
	} {
		words := strings.Fields(command + strconv.Itoa(port))
		out, err := exec.CommandContext(ctx, words[0], words[1:]...).Output()
		pattern := regexp.MustCompile(answer)
		if match := pattern.FindSubmatchIndex(out); err == nil && match != nil {
			return string(pattern.Expand(nil, []byte(" by $name (pid $pid)"), out, match))
		}
	}
	return ""
}
