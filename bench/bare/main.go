//go:build linux

// Bare does what the machine can do without any server, for the limits beside
// the figures of one.
//
//	bare fork WORKERS N   start /bin/echo hi N times, WORKERS at a time
//	bare echo             a TCP server that sends back what it gets
//	bare drop             one that drops what it gets, and closes at its end
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "fork":
		workers, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return forkAll(workers, n)
	case len(args) == 1 && args[0] == "echo":
		return serve(net.Conn.Write)
	case len(args) == 1 && args[0] == "drop":
		return serve(func(_ net.Conn, p []byte) (int, error) { return len(p), nil })
	}
	return errors.New("usage: bare fork WORKERS N | bare echo | bare drop")
}

// forkAll has n children, workers of them at a time. Nothing is leaner in Go:
// no pipe, no pidfd, and vfork in syscall.ForkExec.
func forkAll(workers, n int) error {
	null, err := syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	attr := &syscall.ProcAttr{Files: []uintptr{uintptr(null), uintptr(null), 2}}
	left := atomic.Int64{}
	left.Store(int64(n))
	errs := make(chan error, workers)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() { // ends when nothing is left to do
			for left.Add(-1) >= 0 {
				if err := forkOne(attr); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(errs)
	return <-errs
}

func forkOne(attr *syscall.ProcAttr) error {
	pid, err := syscall.ForkExec("/bin/echo", []string{"echo", "hi"}, attr)
	if err != nil {
		return err
	}
	_, err = syscall.Wait4(pid, nil, 0, nil)
	for err == syscall.EINTR {
		_, err = syscall.Wait4(pid, nil, 0, nil)
	}
	return err
}

// serve tells its address, and gives each connection's bytes to take, until it is
// killed.
func serve(take func(net.Conn, []byte) (int, error)) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() { // ends with the client
			defer conn.Close()
			block := make([]byte, 64<<10)
			n, err := conn.Read(block)
			for err == nil {
				if _, err = take(conn, block[:n]); err == nil {
					n, err = conn.Read(block)
				}
			}
		}()
	}
}
