//go:build linux

package wspipetest_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"

	"github.com/coder/websocket"
)

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
	hostPort := "127.0.0.1:" + freePort(t)
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
	d := wspipetest.Dial(t, "ws://localhost/", &websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) },
	}}})
	d.Send("x")
	d.Expect("x")
	d.Close(1000, "")
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
	hostPort := "127.0.0.1:" + freePort(t)
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
	hostPort := "127.0.0.1:" + freePort(t)
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
	prlimit, hostPort := wspipetest.Need(t, "prlimit"), "127.0.0.1:"+freePort(t)
	s := activate(t, hostPort, []string{"--listen=" + hostPort}, "cat")
	if out, err := exec.Command(prlimit, fmt.Sprint("--pid=", s.Pid()), "--nofile=28").CombinedOutput(); err != nil {
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
