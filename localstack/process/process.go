// Package process starts programs that end together with this process, even if this
// process is killed.
package process

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Guard is a shell script. It runs the command in "$@", and kills its own process group
// when the command has ended or when its standard input ends. The script has to lead
// its process group. The command inherits the standard input, so it can start a Guard
// of its own for a program that gets another group.
const Guard = `exec 3<&0
{ read -r _; kill -KILL 0; } <&3 &
"$@" 3<&-
kill -KILL 0
`

// limit is the time that killed processes may take to end on a busy machine.
const limit = 20 * time.Second

// Group is a program and all processes that it has started.
//
// One end of a socket is the standard input of all of them, and only this process has
// the other end. So the input ends when this process closes its end, or is killed.
// When all of the group have ended, this process reads the end of the socket.
type Group struct {
	socket *net.UnixConn
	ended  chan struct{}
}

// Start starts a command under a [Guard]. Processes that the command starts in the same
// process group with the same standard input belong to the group. Ctrl-C in a terminal
// does not reach the group.
func Start(cmd *exec.Cmd) (*Group, error) {
	socket, input, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", cmd.Path, err)
	}
	defer func() { _ = input.Close() }() // the child has its own copy
	cmd.Args = append([]string{"sh", "-c", Guard, "guard", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.Stdin = input
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		_ = socket.Close() // nothing runs at its other end
		return nil, err
	}
	g := &Group{socket: socket, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the Guard always ends by its own kill
		close(g.ended) // until here, this use of g keeps the socket open
	}()
	return g, nil
}

// socketPair returns the two ends of a socket. No other child of this process inherits
// an end.
func socketPair() (*net.UnixConn, *os.File, error) {
	syscall.ForkLock.RLock()
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(ends[0])
		syscall.CloseOnExec(ends[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	own, input := os.NewFile(uintptr(ends[0]), "own end"), os.NewFile(uintptr(ends[1]), "input")
	defer func() { _ = own.Close() }() // FileConn makes a copy
	connection, err := net.FileConn(own)
	if err != nil {
		return nil, nil, err
	}
	return connection.(*net.UnixConn), input, nil //nolint:forcetypeassert // it was made as a Unix socket
}

// Ended returns a channel that is closed when the program has ended. Processes that it
// has started may still run.
func (g *Group) Ended() <-chan struct{} { return g.ended }

// End kills the group, and returns after all its processes have ended. It may be called
// once.
func (g *Group) End() error {
	defer func() { _ = g.socket.Close() }() // nothing was written
	_ = g.socket.CloseWrite()               // it fails only if the other end is closed, which is the aim
	_ = g.socket.SetReadDeadline(time.Now().Add(limit))
	if _, err := io.Copy(io.Discard, g.socket); err != nil {
		return fmt.Errorf("wait for the end of killed processes: %w", err)
	}
	<-g.ended
	return nil
}
