//go:build linux

package wspipetest_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// TestUnitsAreValid: also with the lines that are comments, as an alternative.
func TestUnitsAreValid(t *testing.T) {
	t.Parallel()
	analyze := need(t, "systemd-analyze")
	service, socket := read(t, "../../docs/deploy/wspipe.service"), read(t, "../../docs/deploy/wspipe.socket")
	if !strings.Contains(service, "=/usr/local/bin/wspipe ") {
		t.Fatal("wspipe.service starts no /usr/local/bin/wspipe any more")
	}
	service = strings.ReplaceAll(service, "=/usr/local/bin/wspipe ", "="+wspipetest.Binary(t)+" ")
	port := strings.Replace(socket, "# ListenStream=", "ListenStream=", 1)
	for _, units := range [][2]string{{service, socket}, {withTokens(t, service), port}} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "wspipe.service"), units[0])
		write(t, filepath.Join(dir, "wspipe.socket"), units[1])
		out := run(t, analyze, "verify", filepath.Join(dir, "wspipe.service"), filepath.Join(dir, "wspipe.socket"))
		if strings.Contains(out, "wspipe") {
			t.Errorf("systemd warns:\n%s", out)
		}
	}
}

// withTokens returns the service with the lines that are comments, as an
// alternative to the proxy.
func withTokens(t *testing.T, service string) string {
	t.Helper()
	service = strings.Replace(service, "\nExecStart=", "\n# Not: ExecStart=", 1)
	for _, setting := range []string{"LoadCredential=", "ExecStart="} {
		if !strings.Contains(service, "\n# "+setting) {
			t.Fatalf("wspipe.service has no comment with %s any more", setting)
		}
		service = strings.Replace(service, "\n# "+setting, "\n"+setting, 1)
	}
	return service
}

// TestSocketsFromSystemd: wspipe serves the socket that it is started with,
// tells systemd how it is, and keeps both from its children.
func TestSocketsFromSystemd(t *testing.T) {
	t.Run("tcp", func(t *testing.T) {
		t.Parallel()
		testActivation(t, "tcp", freeAddress(t))
	})
	t.Run("unix", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "s")
		testActivation(t, "unix", path)
		if _, err := os.Stat(path); err != nil {
			t.Errorf("the socket is systemd's, who may want it again: %v", err)
		}
	})
}

func testActivation(t *testing.T, network, address string) {
	activate := need(t, "systemd-socket-activate")
	notified := newNotifySocket(t)
	// wspipe would pass these variables on, as we tell it to, if it had them.
	cmd := exec.Command(activate, "-l", address, "-E", "NOTIFY_SOCKET="+notified.path, "-E", "GORACE=atexit_sleep_ms=0",
		wspipetest.Binary(t), "--passenv=PATH,LISTEN_PID,LISTEN_FDS,LISTEN_FDNAMES", "/bin/sh", "-c", "env; ls -l /proc/self/fd; cat")
	ended := runUntilTestEnds(t, cmd)
	until(t, "systemd listens", func() bool { return canDial(network, address) }) // which starts wspipe
	notified.await("READY=1")
	c := dialAt(t, network, address, nil)
	c.Send("end")
	for line := c.Next(); line != "end"; line = c.Next() {
		if strings.HasPrefix(line, "LISTEN_") || strings.Contains(line, "NOTIFY") || strings.Contains(line, "socket:") {
			t.Errorf("the child has %q", line)
		}
	}
	cmd.Process.Signal(syscall.SIGHUP) // as ExecReload= does
	notified.await("RELOADING=1")
	notified.await("READY=1")
	c.Send("still here")
	c.Expect("still here")

	cmd.Process.Signal(syscall.SIGTERM)
	c.ExpectEnd(1001, "server shutting down")
	select {
	case <-ended:
	case <-time.After(wspipetest.Patience):
		t.Fatal("wspipe does not end")
	}
	if status := cmd.ProcessState.ExitCode(); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
}

// notifySocket is the socket at which systemd hears from a service
// (sd_notify(3)).
type notifySocket struct {
	*net.UnixConn
	t    *testing.T
	path string
	left []string // lines that have come and were not waited for
}

func newNotifySocket(t *testing.T) *notifySocket {
	t.Helper()
	path := filepath.Join(t.TempDir(), "n")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &notifySocket{UnixConn: conn, t: t, path: path}
}

// await takes lines until one is this.
func (n *notifySocket) await(line string) {
	n.t.Helper()
	n.SetReadDeadline(time.Now().Add(wspipetest.Patience))
	for {
		if i := slices.Index(n.left, line); i >= 0 {
			n.left = n.left[i+1:]
			return
		}
		p := make([]byte, 4096)
		size, err := n.Read(p)
		if err != nil {
			n.t.Fatalf("systemd did not hear %q: %v", line, err)
		}
		n.left = append(n.left, strings.Split(string(p[:size]), "\n")...)
	}
}

// dialAt connects to a wspipe that listens at address.
func dialAt(t *testing.T, network, address string, header http.Header) *wspipetest.Client {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	return wspipetest.Dial(t, "ws://chat.example.org/", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, HTTPHeader: header})
}
