//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// server is a server under measurement.
type server struct {
	url string // ws://127.0.0.1:port/
	pid int
}

const (
	// patience is how long what must happen may take.
	patience = 30 * time.Second
	// lookTime is how often what nobody announces is looked at.
	lookTime = 5 * time.Millisecond
)

// serve starts the server at path with flags and command, hands it to use, and
// stops it. It is an error if the server does not end, or leaves a child behind.
func (b *bench) serve(path string, flags, command []string, use func(s *server) ([]figure, error)) ([]figure, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	args := append([]string{"--loglevel=fatal"}, flags...)
	args = append(args, command...)
	b.note(filepath.Base(path), args)
	cmd := exec.CommandContext(b.ctx, path, append([]string{"--port=" + port, "--address=127.0.0.1"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	log, err := os.CreateTemp(b.temp, "log")
	if err != nil {
		return nil, err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // ends with the server, which is stopped below
	figures, err := []figure(nil), awaitServer(address, ended)
	if err == nil {
		figures, err = use(&server{url: "ws://" + address + "/", pid: cmd.Process.Pid})
	}
	err = errors.Join(err, stop(cmd, ended))
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		err = fmt.Errorf("%s: %w %s", strings.Join(cmd.Args, " "), err, text[max(0, len(text)-1000):])
	}
	return figures, err
}

// note adds a command line to what the report tells.
func (b *bench) note(name string, args []string) {
	ours := strings.NewReplacer(b.load, "load", b.temp+"/", "")
	line := name
	for _, arg := range args {
		if strings.ContainsAny(arg, " '\"") {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		line += " " + ours.Replace(arg)
	}
	if !slices.Contains(b.commands, line) {
		b.commands = append(b.commands, line)
	}
}

// portsTried counts the ports that freeAddress has looked at.
var portsTried atomic.Int64

// freeAddress returns an address on loopback that nobody listens on. Its port is not one
// that the kernel gives to clients (ip(7), ip_local_port_range), and another one each
// time, so that nobody takes it before the server does.
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

// awaitServer waits until a server takes connections at address.
func awaitServer(address string, ended chan error) error {
	for late := time.After(patience); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case err := <-ended:
			ended <- err // for stop
			return errors.New("ended before it listened")
		case <-late:
			return err
		case <-time.After(lookTime):
		}
	}
}

// stop waits until the server has no child any more, then stops it.
func stop(cmd *exec.Cmd, ended chan error) error {
	err := until("its children have gone", func() bool { return len(descendants(cmd.Process.Pid)) == 0 })
	left := descendants(cmd.Process.Pid)
	cmd.Process.Signal(syscall.SIGTERM) // fails if it has ended
	select {
	case <-ended: // its status says nothing: websocketd dies of the signal
	case <-time.After(patience):
		cmd.Process.Kill()
		<-ended
		err = errors.Join(err, errors.New("did not end"))
	}
	return errors.Join(err, until("it ended and its children have gone, too", func() bool {
		return !slices.ContainsFunc(left, running)
	}))
}

// until waits until something is so.
func until(what string, so func() bool) error {
	for late := time.Now().Add(patience); !so(); time.Sleep(lookTime) {
		if time.Now().After(late) {
			return fmt.Errorf("waited %v until %s", patience, what)
		}
	}
	return nil
}

// running reports whether a process runs; one that nobody has waited for does
// not.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}
