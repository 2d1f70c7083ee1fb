package main

import (
	"context"
	"io"
	"net"
)

// forward passes connections to listener on to address, until ctx is done.
// LocalStack listens on this machine's loopback alone, which containers on Linux
// do not reach; listener is to be on the address that only they do.
func forward(ctx context.Context, listener net.Listener, address string) {
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() }) // it ends Accept
	defer stop()
	for {
		from, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = from.Close() }()
			to, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			if err != nil {
				return // a refused connection is what the other side sees
			}
			defer func() { _ = to.Close() }()
			ended := make(chan struct{}, 2)
			for _, way := range [][2]net.Conn{{to, from}, {from, to}} {
				go func() {
					_, _ = io.Copy(way[0], way[1]) // however it ends, the connection is over
					ended <- struct{}{}
				}()
			}
			select {
			case <-ended:
			case <-ctx.Done():
			}
		}()
	}
}
