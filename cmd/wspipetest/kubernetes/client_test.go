//go:build unix

package kubernetes_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"

	"wspipe/cmd/wspipetest"
)

func TestMain(m *testing.M) { os.Exit(wspipetest.Main(m)) }

// startShell runs wspipe with a shell script as its command.
func startShell(t *testing.T, script string, flags ...string) *wspipetest.Server {
	t.Helper()
	return wspipetest.Start(t, append(flags, "/bin/sh", "-c", script)...)
}

// client is client-go as a test wants it.
type client struct {
	ctx      context.Context
	url      string
	config   rest.Config
	protocol string // what to offer; empty for what client-go offers by itself
	sizes    sizes  // of its terminal, if it has one
}

// newClient returns a client of s that works as kubectl exec does.
func newClient(t *testing.T, s *wspipetest.Server) client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*wspipetest.Patience)
	t.Cleanup(cancel)
	return client{ctx: ctx, url: "http" + strings.TrimPrefix(s.WS, "ws")}
}

func (c client) executor(t *testing.T) remotecommand.Executor {
	t.Helper()
	e, err := remotecommand.NewWebSocketExecutor(&c.config, "GET", c.url)
	if c.protocol != "" {
		e, err = remotecommand.NewWebSocketExecutorForProtocols(&c.config, "GET", c.url, c.protocol)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// sizes are what the size of a terminal becomes, one after the other.
type sizes chan remotecommand.TerminalSize

// Next implements remotecommand.TerminalSizeQueue.
func (s sizes) Next() *remotecommand.TerminalSize {
	if size, ok := <-s; ok {
		return &size
	}
	return nil
}

// keyboard returns a stdin, and where to write what is to come from there.
func keyboard(t *testing.T) (stdin, keys *os.File) {
	t.Helper()
	stdin, keys, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close() })
	t.Cleanup(func() { keys.Close() })
	return stdin, keys
}

// press writes what a key makes.
func press(t *testing.T, keys *os.File, key string) {
	t.Helper()
	if _, err := keys.WriteString(key); err != nil {
		t.Fatal(err)
	}
}

// execution is a command that client-go runs.
type execution struct {
	t              *testing.T
	stdout, stderr *sink
	ended          chan error
}

// begin runs the command with stdin, which may be nil.
func (c client) begin(t *testing.T, stdin io.Reader) *execution {
	t.Helper()
	x := &execution{t: t, stdout: newSink(), stderr: newSink(), ended: make(chan error, 1)}
	opt := remotecommand.StreamOptions{Stdin: stdin, Stdout: x.stdout, Stderr: x.stderr}
	if c.sizes != nil {
		opt.Stderr, opt.Tty, opt.TerminalSizeQueue = nil, true, c.sizes
	}
	e := c.executor(t)
	go func() { x.ended <- e.StreamWithContext(c.ctx, opt) }() // ends with the command, or with c.ctx
	return x
}

// end waits until the execution has ended and returns client-go's error.
func (x *execution) end() error {
	x.t.Helper()
	select {
	case err := <-x.ended:
		return err
	case <-time.After(4 * wspipetest.Patience):
		x.t.Fatal("the execution does not end")
		return nil
	}
}

// expectEnd waits until the execution has ended with this exit status.
func (x *execution) expectEnd(status int) {
	x.t.Helper()
	wantStatus(x.t, x.end(), status)
}

// run runs the command to its end.
func (c client) run(t *testing.T, stdin io.Reader) (stdout, stderr string, err error) {
	t.Helper()
	x := c.begin(t, stdin)
	err = x.end()
	return x.stdout.String(), x.stderr.String(), err
}

// wantStatus fails the test if err does not tell this exit status, which for 0
// is no error.
func wantStatus(t *testing.T, err error, status int) {
	t.Helper()
	if status == 0 {
		if err != nil {
			t.Errorf("got error %v, want exit status 0", err)
		}
		return
	}
	if exit, ok := errors.AsType[exec.CodeExitError](err); !ok || exit.Code != status {
		t.Errorf("got error %#v, want exit status %d", err, status)
	}
}

// wantError fails the test if err does not hold each of these words.
func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("got no error, want one with %q", words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got error %q, want %q in it", err, w)
		}
	}
}

// sink takes a stream that a test may wait for.
type sink struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed when more has come, and replaced
}

func newSink() *sink { return &sink{more: make(chan struct{})} }

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.more)
	s.more = make(chan struct{})
	return s.text.Write(p)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until text has come.
func (s *sink) await(t *testing.T, text string) {
	t.Helper()
	late := time.After(wspipetest.Patience)
	for {
		s.mu.Lock()
		got, more := s.text.String(), s.more
		s.mu.Unlock()
		if strings.Contains(got, text) {
			return
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("got %q, want %q in it", got, text)
		}
	}
}
