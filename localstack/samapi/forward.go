package main

import (
	"context"
	"fmt"
	"io"
	"net"
)

// open leads containers from bridge to LocalStack at local, until ctx is done.
// Elsewhere than on Linux, Docker leads them to the loopback by itself, and the
// bridge is not ours to listen on; on Linux that is worth a line in log, though
// with Docker Desktop, which is there too, all is well.
func open(ctx context.Context, bridge, local, goos string, log io.Writer) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", bridge)
	if err == nil {
		go forward(ctx, listener, local)
		return
	}
	if goos == "linux" {
		fmt.Fprintln(log, "sam-api: unless this is Docker Desktop, the function in its container will not reach LocalStack:", err)
	}
}

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
