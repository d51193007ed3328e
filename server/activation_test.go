//go:build unix

package server_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
)

// freePort returns a TCP port of 127.0.0.1 that was free.
func freePort(t *testing.T) (hostPort string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// activate starts wspipe with args through systemd-socket-activate, which waits for the first client
// on one of the sockets and then passes all of them.
func activate(t *testing.T, first string, options []string, args ...string) *wspipetest.Server {
	t.Helper()
	tool := wspipetest.Need(t, "systemd-socket-activate")
	all := append(options, "--setenv=GORACE", wspipetest.Binary(t))
	started := make(chan struct{})
	defer close(started)
	go func() { // ends when the tool listens or has failed
		for {
			if conn, err := net.Dial("tcp", first); err == nil {
				conn.Close()
				return
			}
			select {
			case <-started:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return wspipetest.StartCommand(t, exec.Command(tool, append(all, args...)...))
}

func TestSystemdSockets(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	hostPort := freePort(t)
	s := activate(t, hostPort, []string{"--listen=" + hostPort, "--listen=" + path}, "cat")
	s.AwaitStderr("unix:" + path + "\n")
	if s.WS != "ws://"+hostPort+"/" {
		t.Errorf("it does not say where it listens:\n%s", s.Stderr())
	}
	if n := strings.Count(s.Stderr(), "serving cat at "); n != 2 {
		t.Errorf("it listens on %d sockets, want those two:\n%s", n, s.Stderr())
	}
	c := dial(t, s.WS)
	c.Send("x")
	c.Expect("x")
	c.Close(1000, "")
	echoes(t, path)
	s.Signal(os.Interrupt)
	if status := s.Wait(); status != 0 {
		t.Errorf("status %d", status)
	}
	if !wspipetest.Exists(t, path) {
		t.Error("it removed systemd's socket")
	}
}

func TestAddressesBesideSystemdsSockets(t *testing.T) {
	t.Parallel()
	hostPort := freePort(t)
	s := activate(t, hostPort, []string{"--listen=" + hostPort}, "--port=0", "--address=127.0.0.1", "cat")
	for _, url := range []string{s.WS, "ws://" + hostPort + "/"} {
		c := dial(t, url)
		c.Send(url)
		c.Expect(url)
	}
	if s.WS == "ws://"+hostPort+"/" {
		t.Error("the address that was asked for is not served")
	}
}

// Children get no socket of systemd, because they could accept our clients.
func TestChildrenGetNoSystemdSockets(t *testing.T) {
	t.Parallel()
	hostPort := freePort(t)
	s := activate(t, hostPort, []string{"--listen=" + hostPort, "--fdname=web", "--setenv=SEEN=yes"},
		"--passenv=PATH,SEEN,LISTEN_FDS,LISTEN_PID,LISTEN_FDNAMES",
		"sh", "-c", `env; readlink /proc/$$/fd/*; exit 0`)
	messages := dial(t, s.WS).ExpectEnd(1000, "exit 0")
	all := strings.Join(messages, "\n")
	if !strings.Contains(all, "SEEN=yes") || !strings.Contains(all, "pipe:") {
		t.Fatalf("the child does not tell what it has:\n%s", all)
	}
	if strings.Contains(all, "LISTEN_") || strings.Contains(all, "socket:") {
		t.Errorf("the child got\n%s", all)
	}
}

// A lack of descriptors ends no listener, not even one from systemd.
func TestSystemdSocketWithoutDescriptors(t *testing.T) {
	t.Parallel()
	prlimit, hostPort := wspipetest.Need(t, "prlimit"), freePort(t)
	s := activate(t, hostPort, []string{"--listen=" + hostPort}, "cat")
	if out, err := exec.Command(prlimit, fmt.Sprint("--pid=", s.Pid()), "--nofile=20").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	idle := make([]net.Conn, 20)
	for i := range idle {
		var err error
		if idle[i], err = net.Dial("tcp", hostPort); err != nil {
			t.Fatal(err)
		}
		defer idle[i].Close()
	}
	s.AwaitStderr("cannot accept a connection")
	for _, conn := range idle {
		conn.Close()
	}
	c := dial(t, s.WS)
	c.Send("x")
	c.Expect("x")
}

func TestDatagramsAreNotServed(t *testing.T) {
	t.Parallel()
	tool := wspipetest.Need(t, "systemd-socket-activate")
	path := filepath.Join(t.TempDir(), "s")
	cmd := exec.Command(tool, "--datagram", "--listen="+path, wspipetest.Binary(t), "cat")
	stderr := &wspipetest.Log{}
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(wspipetest.Patience, func() { cmd.Process.Kill() }).Stop()
	stderr.Await(t, "Listening on "+path, 1)
	conn, err := net.Dial("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte("start"))
	cmd.Wait()
	want := "wspipe: cannot use socket LISTEN_FD_3 from systemd: not a listening stream socket"
	if status := cmd.ProcessState.ExitCode(); status != 1 || !strings.Contains(stderr.String(), want) {
		t.Errorf("status %d, and it says:\n%s\nwant\n%s", status, stderr.String(), want)
	}
}

// TestNotify is not parallel because it changes the environment.
func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(wspipetest.Patience))
	t.Setenv("NOTIFY_SOCKET", path)
	next := func() string {
		t.Helper()
		p := make([]byte, 1000)
		n, err := conn.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		return string(p[:n])
	}
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`)}})
	if got := next(); got != "READY=1" {
		t.Errorf("at the start: %q", got)
	}
	s.Reload()
	got := next()
	var usec int64
	if n, _ := fmt.Sscanf(got, "RELOADING=1\nMONOTONIC_USEC=%d\n", &usec); n != 1 || usec <= 0 {
		t.Errorf("when it reloads: %q", got)
	}
	if got := next(); got != "READY=1" {
		t.Errorf("when it has reloaded: %q", got)
	}
	s.stop()
	if got := next(); got != "STOPPING=1" {
		t.Errorf("at the end: %q", got)
	}
	<-s.status
}
