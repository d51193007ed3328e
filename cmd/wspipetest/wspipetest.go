// Package wspipetest runs the real wspipe binary for tests of any package.
package wspipetest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a test waits for what must happen before it fails. It
// bounds a broken run; no test passes sooner or later because of it.
const Patience = time.Minute

// Tries calls do until it returns nil, which a busy machine may prevent now and
// then, and a defect each time. The fifth error is the test's.
func Tries(t testing.TB, do func() error) {
	t.Helper()
	for try := 1; ; try++ {
		err := do()
		switch {
		case err == nil || t.Failed():
			return
		case try == 5:
			t.Error(err)
			return
		}
		t.Log(err)
	}
}

// Soon is Tries for what must take less than limit.
func Soon(t testing.TB, limit time.Duration, do func() (took time.Duration)) {
	t.Helper()
	Tries(t, func() error {
		if took := do(); took >= limit {
			return fmt.Errorf("took %v, want less than %v", took, limit)
		}
		return nil
	})
}

// Exists reports whether there is a file at path, if only a symbolic link.
func Exists(t testing.TB, path string) bool {
	t.Helper()
	_, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// builds are the binaries built so far.
var builds struct {
	sync.Mutex
	dir  string
	path map[bool]string // with the race detector and without
}

// Binary returns the path of wspipe, built once per test process, with the
// race detector if the test has it. Main removes it.
func Binary(t testing.TB) string {
	t.Helper()
	return build(t, raceEnabled)
}

// PlainBinary is Binary without the race detector, whose memory would hide
// ours.
func PlainBinary(t testing.TB) string {
	t.Helper()
	return build(t, false)
}

func build(t testing.TB, race bool) string {
	t.Helper()
	builds.Lock()
	defer builds.Unlock()
	if path := builds.path[race]; path != "" {
		return path
	}
	if builds.dir == "" {
		dir, err := os.MkdirTemp("", "wspipetest")
		if err != nil {
			t.Fatal(err)
		}
		builds.dir, builds.path = dir, make(map[bool]string)
	}
	path := filepath.Join(builds.dir, fmt.Sprintf("wspipe-race=%t", race))
	// In wspipe's own module: that of the test may ask for other versions of what
	// wspipe is made of.
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "wspipe").Output()
	if err != nil {
		t.Fatalf("find wspipe's module: %v", err)
	}
	out, err := exec.Command("go", "build", "-C", strings.TrimSpace(string(dir)), fmt.Sprintf("-race=%t", race), "-o", path, "wspipe").CombinedOutput()
	if err != nil {
		t.Fatalf("build wspipe: %v\n%s", err, out)
	}
	builds.path[race] = path
	return path
}

// Main runs the tests of a package that uses Binary or NewPage, removes what was
// built and ends the browser:
// func TestMain(m *testing.M) { os.Exit(wspipetest.Main(m)) }.
func Main(m *testing.M) int {
	if signal.Ignored(syscall.SIGHUP) { // as under nohup: children would inherit that
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	defer func() { os.RemoveAll(builds.dir) }()
	defer func() { stopBrowser() }()
	return m.Run()
}

// Server is a running wspipe.
type Server struct {
	// WS is its first address, such as ws://127.0.0.1:40001/ or unix:/path.
	WS string

	t      testing.TB
	cmd    *exec.Cmd
	exited chan struct{}
	mu     sync.Mutex
	stderr bytes.Buffer
	more   chan struct{} // closed when stderr gets more, and replaced
}

var startLine = regexp.MustCompile(`(?:(?:ws|http)s?://|unix:)[^\s"]+`)

// Start runs wspipe --port=0 with args and returns once it listens. It is
// stopped with SIGTERM when the test ends, unless it has ended before.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return StartCommand(t, exec.Command(Binary(t), append([]string{"--port=0"}, args...)...))
}

// StartCommand is Start for a command that the test has put together itself.
func StartCommand(t testing.TB, cmd *exec.Cmd) *Server {
	t.Helper()
	s := &Server{t: t, cmd: cmd, exited: make(chan struct{}), more: make(chan struct{})}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0")
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening := make(chan string, 1)
	go s.readStderr(bufio.NewReader(pipe), listening)
	t.Cleanup(s.stop)
	select {
	case s.WS = <-listening:
	case <-s.exited:
		t.Fatalf("wspipe ended with status %d before it listened:\n%s", s.cmd.ProcessState.ExitCode(), s.Stderr())
	case <-time.After(Patience):
		t.Fatalf("wspipe did not say where it listens:\n%s", s.Stderr())
	}
	return s
}

// readStderr ends when wspipe closes its stderr, which is when it ends.
func (s *Server) readStderr(r *bufio.Reader, listening chan<- string) {
	defer close(s.exited)
	told := false
	for {
		line, err := r.ReadString('\n')
		s.mu.Lock()
		s.stderr.WriteString(line)
		close(s.more)
		s.more = make(chan struct{})
		s.mu.Unlock()
		if url := startLine.FindString(line); url != "" && !told {
			told = true
			listening <- url
		}
		if err != nil {
			s.cmd.Wait()
			return
		}
	}
}

// Stderr returns what wspipe has written to stderr so far.
func (s *Server) Stderr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stderr.String()
}

// AwaitStderr waits until wspipe has written text to stderr.
func (s *Server) AwaitStderr(text string) {
	s.t.Helper()
	s.AwaitStderrFunc(text, func(stderr string) bool { return strings.Contains(stderr, text) })
}

// AwaitStderrFunc waits until what wspipe has written to stderr satisfies found;
// want describes it in case that it never does.
func (s *Server) AwaitStderrFunc(want string, found func(stderr string) bool) {
	s.t.Helper()
	late := time.After(Patience)
	for {
		s.mu.Lock()
		done, more := found(s.stderr.String()), s.more
		s.mu.Unlock()
		if done {
			return
		}
		select {
		case <-more:
		case <-late:
			s.t.Fatalf("wspipe did not write %q:\n%s", want, s.Stderr())
		}
	}
}

// Need returns the path of a program, and skips the test if it is not
// installed. With CI=true it fails instead: make deps installs what CI needs.
func Need(t testing.TB, program string) (path string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		Lack(t, "%s is not installed: run make deps", program)
	}
	return path
}

// NeedNodeWebSocket returns the path of a Node that has WebSockets, which is 20 or later. It skips
// the test, even with CI=true, where Debian's is older.
func NeedNodeWebSocket(t testing.TB) (path string) {
	t.Helper()
	path = Need(t, "node")
	if out, err := exec.Command(path, "--experimental-websocket", "--eval", "0").CombinedOutput(); err != nil {
		t.Skipf("this Node has no WebSockets: %s", out)
	}
	return path
}

// Lack skips the test, because this machine lacks what it says. With CI=true,
// where nothing may be lacking, it fails instead.
func Lack(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf("SKIPPED: "+format, args...)
}

// NeedNamespaces skips the test, as Lack does, where new namespaces of these kinds,
// as unshare(1) names them, are not permitted.
func NeedNamespaces(t testing.TB, kinds ...string) {
	t.Helper()
	args := []string{"true"}
	for _, kind := range kinds {
		args = append([]string{"--" + kind}, args...)
	}
	if out, err := exec.Command(Need(t, "unshare"), args...).CombinedOutput(); err != nil {
		LackPermission(t, "unshare "+strings.Join(args, " "), out)
	}
}

// LackPermission is Lack for what a command that needs namespaces was not permitted,
// and printed of that.
func LackPermission(t testing.TB, command string, out []byte) {
	t.Helper()
	Lack(t, "%s: %s: it needs root with CAP_SYS_ADMIN and CAP_NET_ADMIN, in a container also a seccomp profile that allows unshare(2) and mount(2)",
		command, bytes.TrimSpace(out))
}

// Pid returns wspipe's process ID.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// Signal sends sig to wspipe.
func (s *Server) Signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// Wait waits until wspipe has ended and returns its exit status, -1 for a signal.
func (s *Server) Wait() int {
	s.t.Helper()
	select {
	case <-s.exited:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(Patience):
		s.t.Fatalf("wspipe did not end:\n%s", s.Stderr())
		return 0
	}
}

func (s *Server) stop() {
	select {
	case <-s.exited:
		return
	default:
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Error(err)
	}
	if status := s.Wait(); status != 0 {
		s.t.Errorf("wspipe ended with status %d after SIGTERM:\n%s", status, s.Stderr())
	}
}
