package cmd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"wspipe/cmd/wspipetest"

	"github.com/coder/websocket"
)

// running is a wspipe that runs in the test process.
type running struct {
	t      *testing.T
	stderr *bufio.Reader
	pipe   *os.File
	status chan int
	stop   context.CancelCauseFunc
}

// start runs a command line until the test ends.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	run := &running{t: t, stderr: bufio.NewReader(r), pipe: r, status: make(chan int, 1), stop: stop}
	go func() { // ends when Main does
		defer w.Close()
		run.status <- runUntil(ctx, append([]string{"wspipe"}, args...), io.Discard, w, "", nil)
		close(run.status)
	}()
	t.Cleanup(func() {
		stop(nil)
		r.Close()
		<-run.status
	})
	return run
}

// line returns the next line of stderr.
func (r *running) line() string {
	r.t.Helper()
	line, err := r.stderr.ReadString('\n')
	if err != nil {
		r.t.Fatalf("stderr ended: %v, %q", err, line)
	}
	return strings.TrimSuffix(line, "\n")
}

// dial opens a WebSocket at url.
func dial(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

var urlPattern = regexp.MustCompile(`\w+://127\.0\.0\.1:\d+/`)

func TestStartLines(t *testing.T) {
	r := start(t, "--port=0", "--address=127.0.0.1", "--devconsole", "cat", "-u")
	serving, console := r.line(), r.line()
	if ok, _ := regexp.MatchString(`^wspipe: serving cat at ws://127\.0\.0\.1:\d+/$`, serving); !ok {
		t.Errorf("got %q", serving)
	}
	want := "wspipe: console at " + strings.Replace(urlPattern.FindString(serving), "ws", "http", 1)
	if console != want {
		t.Errorf("got %q, want %q", console, want)
	}
}

func TestStartLinesJSON(t *testing.T) {
	r := start(t, "--port=0", "--address=127.0.0.1", "--devconsole", "--log-format=json", "--loglevel=error", "cat")
	for _, msg := range []string{"serving", "console"} {
		var record struct{ Level, Msg, URL string }
		if err := json.Unmarshal([]byte(r.line()), &record); err != nil {
			t.Fatal(err)
		}
		if record.Msg != msg || record.Level != "info" || !urlPattern.MatchString(record.URL) {
			t.Errorf("got %+v", record)
		}
	}
}

// --loglevel=none prints nothing except the URL of a port that wspipe has picked.
func TestStartLinesUnlogged(t *testing.T) {
	r := start(t, "--port=0", "--address=127.0.0.1", "--loglevel=none", "sh", "-c", "echo noise >&2")
	url := urlPattern.FindString(r.line())
	c := dial(t, url)
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Error(err)
	}
	r.stop(nil)
	if rest, err := io.ReadAll(r.stderr); err != nil || len(rest) > 0 {
		t.Errorf("got %q, %v", rest, err)
	}
}

func TestOnceTakesOverTheStatus(t *testing.T) {
	for script, want := range map[string]int{"exit 3": 3, "kill -TERM $$": 143, "exit 0": 0} {
		r := start(t, "--port=0", "--address=127.0.0.1", "--once", "sh", "-c", "echo hi; "+script)
		c := dial(t, urlPattern.FindString(r.line()))
		if _, msg, err := c.Read(t.Context()); string(msg) != "hi" {
			t.Errorf("got %q, %v", msg, err)
		}
		c.Read(t.Context())
		if got := <-r.status; got != want {
			t.Errorf("%s: status %d, want %d", script, got, want)
		}
	}
}

func TestStopsWithTheContext(t *testing.T) {
	r := start(t, "--port=0", "--address=127.0.0.1", "cat")
	c := dial(t, urlPattern.FindString(r.line()))
	r.stop(errors.New("enough"))
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Error(err)
	}
	if got := <-r.status; got != 0 {
		t.Errorf("status %d", got)
	}
	if rest, _ := io.ReadAll(r.stderr); !strings.Contains(string(rest), "cause=enough") {
		t.Errorf("the log does not tell the cause: %s", rest)
	}
}

func TestEnvironmentAndDirectory(t *testing.T) {
	dir := t.TempDir()
	r := start(t, "--port=0", "--address=127.0.0.1", "--cwd="+dir, "--setenv=GREETING=hi there", "--passenv=", "/bin/sh", "-c", `echo "$GREETING in $(pwd -P)"`)
	c := dial(t, urlPattern.FindString(r.line()))
	_, msg, err := c.Read(t.Context())
	if want := "hi there in " + dir; string(msg) != want {
		t.Errorf("got %q, %v, want %q", msg, err, want)
	}
}

// A relative COMMAND is relative to the directory of wspipe, not to --cwd.
func TestRelativeCommandWithDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	wspipetest.WriteMode(t, "x.sh", "#!/bin/sh\necho here\n", 0o755)
	r := start(t, "--port=0", "--address=127.0.0.1", "--cwd=/", "./x.sh")
	c := dial(t, urlPattern.FindString(r.line()))
	if _, msg, err := c.Read(t.Context()); string(msg) != "here" {
		t.Errorf("got %q, %v", msg, err)
	}
}

// A blocked stderr stops neither wspipe nor a child that floods its own stderr.
func TestStuckStderr(t *testing.T) {
	r := start(t, "--port=0", "--address=127.0.0.1", "sh", "-c", "head -c 200000 /dev/zero | tr '\\0' '\\n' >&2; echo done")
	c := dial(t, urlPattern.FindString(r.line()))
	if _, msg, err := c.Read(t.Context()); string(msg) != "done" {
		t.Errorf("got %q, %v", msg, err)
	}
	r.stop(nil)
	if got := <-r.status; got != 0 {
		t.Errorf("status %d", got)
	}
}
