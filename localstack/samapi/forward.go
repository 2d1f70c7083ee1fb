package main

import (
	"context"
	"fmt"
	"io"
	"net"
)

// open lets containers reach LocalStack: it forwards connections from bridge to local
// until ctx is done. On systems other than Linux, Docker forwards them to the loopback
// by itself, and this process cannot listen on the bridge. On Linux open writes a line
// to log if it cannot listen, although all is well with Docker Desktop, which exists
// for Linux, too.
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

// forward forwards connections to listener to address, until ctx is done. LocalStack
// listens only on this machine's loopback, which containers on Linux cannot reach. So
// listener should be on an address that only containers reach.
func forward(ctx context.Context, listener net.Listener, address string) {
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() }) // ends Accept
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
				return // the caller sees that its connection ends
			}
			defer func() { _ = to.Close() }()
			ended := make(chan struct{}, 2)
			for _, way := range [][2]net.Conn{{to, from}, {from, to}} {
				go func() {
					_, _ = io.Copy(way[0], way[1]) // the connection ends, with or without an error
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
