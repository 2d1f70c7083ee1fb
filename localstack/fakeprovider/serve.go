package fakeprovider

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// grace is the time that a shutdown waits for answers that are being written.
const grace = 3 * time.Second

// Listen opens all addresses, or none. It leaves out addresses that the machine does
// not have, such as IPv6 addresses without IPv6, as long as one address is open.
func Listen(ctx context.Context, addresses ...string) ([]net.Listener, error) {
	var (
		open     []net.Listener
		problems []error
		absent   []error
	)
	for _, address := range addresses {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		switch {
		case err == nil:
			open = append(open, l)
		case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
			absent = append(absent, err)
		default:
			problems = append(problems, err)
		}
	}
	if len(open) == 0 {
		problems = append(problems, absent...)
	}
	if len(problems) == 0 && len(open) > 0 {
		return open, nil
	}
	for _, l := range open {
		_ = l.Close() // it has served no request
	}
	return nil, fmt.Errorf("fakeprovider: listen on %v (is another one running?): %w", addresses, errors.Join(problems...))
}

// Serve serves until ctx is done. Then it ends all waits, waits up to grace for running
// answers, and closes everything. It returns nil after such an end.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, len(listeners))
	var wg sync.WaitGroup
	for _, l := range listeners {
		wg.Go(func() {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("fakeprovider: serve %v: %w", l.Addr(), err)
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.Close()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if server.Shutdown(last) != nil {
		_ = server.Close() // grace is over
	}
	wg.Wait()
	return err
}
