//go:build linux

// Bare does what the machine can do without any server, for the limits beside
// the figures of one.
//
//	bare fork WORKERS N   start /bin/echo hi N times, WORKERS at a time
//	bare greet            a TCP server that starts /bin/echo hi for each request and
//	                      sends its line as a message, as a WebSocket server would
//	bare echo             a TCP server that sends back what it gets
//	bare drop             one that drops what it gets, and closes at its end
package main

import (
	"errors"
	"fmt"
	"io"
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
	case len(args) == 1 && args[0] == "greet":
		return serve(greet)
	case len(args) == 1 && args[0] == "echo":
		return serve(carry(net.Conn.Write))
	case len(args) == 1 && args[0] == "drop":
		return serve(carry(func(_ net.Conn, p []byte) (int, error) { return len(p), nil }))
	}
	return errors.New("usage: bare fork WORKERS N | bare greet | bare echo | bare drop")
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

// serve tells its address, and hands each connection to use, until it is killed.
func serve(use func(net.Conn)) error {
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
			use(conn)
		}()
	}
}

// carry gives a connection's bytes to take.
func carry(take func(net.Conn, []byte) (int, error)) func(net.Conn) {
	return func(conn net.Conn) {
		block := make([]byte, 64<<10)
		n, err := conn.Read(block)
		for err == nil {
			if _, err = take(conn, block[:n]); err == nil {
				n, err = conn.Read(block)
			}
		}
	}
}

// greet does as little as a server can for a client of echo hi: it checks nothing,
// its child has no group and no stderr of its own.
func greet(conn net.Conn) {
	block := make([]byte, 4<<10)
	if _, err := conn.Read(block); err != nil { // the request comes in one piece
		return
	}
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	r, w, err := os.Pipe()
	if err != nil {
		return
	}
	defer r.Close()
	pid, err := syscall.ForkExec("/bin/echo", []string{"echo", "hi"}, &syscall.ProcAttr{Files: []uintptr{0, w.Fd(), 2}})
	w.Close()
	if err != nil {
		return
	}
	n, _ := r.Read(block[2:])
	if n < 1 {
		return
	}
	block[0], block[1] = 0x80|1, byte(n-1) // a whole text message, without the newline
	conn.Write(block[:2+n-1])
	syscall.Wait4(pid, nil, 0, nil)
	conn.Write([]byte("\x88\x08\x03\xe8exit 0")) // the close frame of wspipe
	conn.Read(block)                             // the client's
}
