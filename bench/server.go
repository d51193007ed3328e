package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// program is a server that can be measured: its name in the report, and the words of its
// command line before the flags.
type program struct {
	name  string
	words []string
}

// server is a running program.
type server struct {
	address string // host:port
	pid     int
}

const (
	// patience is how long something that must happen may take.
	patience = 30 * time.Second
	// pollInterval is how often /proc is read, which announces nothing.
	pollInterval = 5 * time.Millisecond
)

// serve starts p with flags and a command, calls use, and stops it. use must return only
// when its clients have disconnected: serve waits until their children have ended.
func (b *bench) serve(p program, flags, command []string, use func(s server) error) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(address)
	args := slices.Concat(p.words[1:], []string{"--address=127.0.0.1", "--port=" + port, "--loglevel=fatal"}, flags, command)
	cmd := exec.CommandContext(b.ctx, p.words[0], args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { // ends with the server, which stop stops
		cmd.Wait() // its status says nothing: the signal ends websocketd
		close(ended)
	}()
	if err = awaitServer(address, ended); err == nil {
		err = use(server{address, cmd.Process.Pid})
	}
	if err = errors.Join(err, stop(cmd.Process, ended)); err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, log.String())
	}
	return err
}

// stop waits until the server has no children, stops it and waits for its end.
func stop(p *os.Process, ended <-chan struct{}) error {
	err := until("all children have ended", func() bool { return len(children(p.Pid)) == 0 })
	p.Signal(syscall.SIGTERM) // fails if it has ended
	select {
	case <-ended:
	case <-time.After(patience):
		err = errors.Join(err, errors.New("SIGTERM did not end it"))
		p.Kill()
		<-ended
	}
	return err
}

// awaitServer waits until a server accepts connections at address.
func awaitServer(address string, ended <-chan struct{}) error {
	for deadline := time.After(patience); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ended:
			return errors.New("ended before it listened")
		case <-deadline:
			return err
		case <-time.After(pollInterval):
		}
	}
}

// portsTried counts the ports that freeAddress has tried.
var portsTried atomic.Int64

// freeAddress returns an address on which nothing listens. Its port is a different one each
// time, and none that the kernel gives to clients (ip(7), ip_local_port_range), so that
// nothing takes it before the server does.
func freeAddress() (string, error) {
	const lowest, ports = 20_000, 12_000
	for {
		n := int64(os.Getpid()) + portsTried.Add(1)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", lowest+n%ports))
		if err == nil {
			return l.Addr().String(), l.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return "", err
		}
	}
}

// until waits until condition holds.
func until(what string, condition func() bool) error {
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(pollInterval) {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v until %s", patience, what)
		}
	}
	return nil
}

// timed returns how many seconds work takes, and how many seconds of processor time the
// server takes for it, without its children.
func (s server) timed(work func() error) (took, cpu float64, err error) {
	before, err := usageOf(s.pid)
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	if err := work(); err != nil {
		return 0, 0, err
	}
	took = time.Since(start).Seconds()
	after, err := usageOf(s.pid)
	return took, (after.cpu - before.cpu).Seconds(), err
}
