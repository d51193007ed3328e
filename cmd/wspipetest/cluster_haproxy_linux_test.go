package wspipetest_test

import (
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// TestClusterSessions: behind cluster.cfg, each session of --resume returns to its
// child, also when a node is added; those of a dead node start again on another.
func TestClusterSessions(t *testing.T) {
	t.Parallel()
	haproxy := need(t, "haproxy")
	s := newProxied(t, "cluster.cfg")
	s.tls = s.plain // there is no TLS
	addresses := map[string]string{"a": freeAddress(t), "b": freeAddress(t), "c": freeAddress(t)}
	s.adapt("bind :80\n", "bind "+s.plain+"\n", "--address=10.0.0.1 --port=8080", "--port=NODE", "=10.0.0.254", "=127.0.0.1",
		"10.0.0.1:8080", addresses["a"], "10.0.0.2:8080", addresses["b"], "10.0.0.3:8080", addresses["c"])
	write(t, s.path("global.cfg"), "global\n\tstats socket "+s.path("admin")+" level admin\n")
	files := []string{"-f", s.path("global.cfg"), "-f", s.path("cluster.cfg")}
	run(t, haproxy, append(files, "-c", "-dW")...) // a warning is an error
	nodes := map[string]*wspipetest.Server{"a": s.startNode("a", addresses), "b": s.startNode("b", addresses)}
	s.start(exec.Command(haproxy, append(files, "-db")...))

	const sessions = 12
	children := map[string]string{} // the node and process ID, by the session
	on := map[string]int{}
	for len(children) < sessions {
		url := s.newSession()
		children[url] = s.dialSession(t, url)
		on[children[url][:1]]++
	}
	if on["a"] != sessions/2 || on["b"] != sessions/2 {
		t.Errorf("the sessions are on %v", on)
	}
	nodes["c"] = s.startNode("c", addresses)
	s.addNode(t)
	until(t, "a session is on the new node", func() bool {
		url := s.newSession()
		children[url] = s.dialSession(t, url)
		return children[url][:1] == "c"
	})
	for url, child := range children {
		if got := s.dialSession(t, url); got != child {
			t.Errorf("a session moved from %q to %q", child, got)
		}
	}
	nodes["a"].Signal(syscall.SIGKILL)
	nodes["a"].Wait()
	for url, child := range children {
		if got := s.dialSession(t, url); got[:1] == "a" || child[:1] != "a" && got != child {
			t.Errorf("without node a, a session moved from %q to %q", child, got)
		}
	}
	for range 2 * len(nodes) {
		if got := s.dialSession(t, "ws://chat.example.org/blue"); got[:1] == "a" {
			t.Errorf("without node a, a room is on it: %q", got)
		}
	}
}

// startNode runs wspipe with the command line that stands in the file.
func (s *proxied) startNode(name string, addresses map[string]string) *wspipetest.Server {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(addresses[name])
	args := slices.Clone(s.command)
	args[slices.Index(args, "--port=NODE")] = "--port=" + port
	args = append(args, "--resume=1h", "--setenv=NODE="+name, "sh", "-c", `echo "$NODE $$"; exec cat`)
	return wspipetest.StartCommand(s.t, exec.Command(wspipetest.Binary(s.t), args...))
}

func (s *proxied) newSession() (url string) { return sessionURL("ws://chat.example.org/") }

// dialSession returns what the child of the session wrote first.
func (s *proxied) dialSession(t *testing.T, url string) (child string) {
	t.Helper()
	return wspipetest.Dial(t, url, &websocket.DialOptions{HTTPClient: s.client}).Next()
}

// addNode sends HAProxy the commands that the file names for that.
func (s *proxied) addNode(t *testing.T) {
	t.Helper()
	_, commands, _ := strings.Cut(read(t, s.path(s.file)), "echo '")
	commands, _, ok := strings.Cut(commands, "' | socat")
	if !ok {
		t.Fatalf("%s does not say how to add a node", s.file)
	}
	conn, err := net.Dial("unix", s.path("admin"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, commands+"\n")
	if reply, err := io.ReadAll(conn); err != nil || strings.TrimSpace(string(reply)) != "" {
		t.Fatalf("HAProxy: %q %v", reply, err)
	}
}
