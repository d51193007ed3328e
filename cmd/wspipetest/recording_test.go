//go:build unix

package wspipetest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
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

	"wspipe/bridge/framing"
	"wspipe/cmd/wspipetest"
)

// cast is a recording.
type cast struct {
	path   string
	header struct {
		Version, Width, Height int
		Timestamp              int64
		Wspipe                 struct{ Endpoint, Session, User string }
	}
	events []string // code and data
	text   map[byte]string
}

// casts returns the recordings in dir as they are now, oldest first.
func casts(t *testing.T, dir string) (all []*cast) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.cast"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		c := &cast{path: path, text: map[byte]string{}}
		text := read(t, path)
		complete := text[:strings.LastIndexByte(text, '\n')+1] // more is being written
		lines := bufio.NewScanner(strings.NewReader(complete))
		lines.Buffer(nil, 1<<20)
		for n := 0; lines.Scan(); n++ {
			if n == 0 {
				err = json.Unmarshal(lines.Bytes(), &c.header)
			} else {
				var e [3]any
				if err = json.Unmarshal(lines.Bytes(), &e); err == nil {
					code, data := e[1].(string), e[2].(string)
					c.events = append(c.events, code+" "+data)
					c.text[code[0]] += data
				}
			}
			if err != nil {
				t.Fatalf("%s: %v in line %q", path, err, lines.Text())
			}
		}
		all = append(all, c)
	}
	return all
}

// markers returns the markers of c.
func (c *cast) markers() (all []string) {
	for _, e := range c.events {
		if text, ok := strings.CutPrefix(e, "m "); ok {
			all = append(all, text)
		}
	}
	return all
}

// awaitCast waits until the only recording in dir satisfies cond.
func awaitCast(t *testing.T, dir, what string, cond func(c *cast) bool) (one *cast) {
	t.Helper()
	until(t, what, func() bool {
		all := casts(t, dir)
		if len(all) == 1 && len(all[0].events) > 0 {
			one = all[0]
		}
		return one != nil && cond(one)
	})
	return one
}

func isOver(c *cast) bool {
	last := c.events[len(c.events)-1]
	return strings.HasPrefix(last, "m exit ") || strings.HasPrefix(last, "m signal ")
}

// expectMarkers checks the markers of c.
func (c *cast) expectMarkers(t *testing.T, want ...string) {
	t.Helper()
	if got := c.markers(); !slices.Equal(got, want) {
		t.Errorf("markers %q, want %q", got, want)
	}
}

// TestRecording records each kind of child.
func TestRecording(t *testing.T) {
	t.Parallel()
	const script = `printf 'h\303'; read go; printf '\251\nbad \377'; echo err >&2; exit 3`
	const output = "h\u00e9\nbad \ufffd"
	for name, flags := range map[string][]string{
		"plain": nil, "bytes": {"--binary"}, "json": {"--passstderr"}, "broadcast": {"--share=broadcast"}, "resume": {"--resume=1h"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := wspipetest.Start(t, slices.Concat([]string{"--record=" + dir, "--trusted-proxy=127.0.0.1", "--auth-header=X-User"}, flags, []string{"sh", "-c", script})...)
			c := wspipetest.Dial(t, s.WS+"?wspipe_session="+clientID, &websocket.DialOptions{HTTPHeader: http.Header{"X-User": {"alice"}}})
			awaitCast(t, dir, "the first output", func(c *cast) bool { return c.text['o'] == "h" })
			c.Send("password\n")
			c.ExpectEnd(1000, "exit 3")
			got := awaitCast(t, dir, "the exit", isOver)
			if got.text['o'] != output || got.text['e'] != "err\n" || got.text['i'] != "" {
				t.Errorf("recorded %q", got.text)
			}
			markers := got.markers()
			got.expectMarkers(t, markers[0], "disconnect 1000 exit 3", "exit 3")
			h := got.header
			if !strings.HasPrefix(markers[0], "connect 127.0.0.1:") || h.Version != 2 || h.Width != 80 || h.Height != 24 || time.Since(time.Unix(h.Timestamp, 0)).Abs() > wspipetest.Patience ||
				h.Wspipe.Endpoint != "/" || h.Wspipe.User != "alice" || !strings.Contains(s.Stderr(), "session="+h.Wspipe.Session) {
				t.Errorf("header %+v, markers %q", h, markers)
			}
			if info, err := os.Stat(got.path); err != nil || info.Mode() != 0o600 || strings.Contains(read(t, got.path)+got.path, clientID) {
				t.Errorf("%s: %v %v", got.path, info.Mode(), err)
			}
		})
	}
}

func TestRecordingOfTerminal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := wspipetest.Start(t, "--record="+dir, "--record-input", "--pty", "--size=100x30", "sh", "-c", `stty -echo; echo ready; read line; kill -TERM $$`)
	c := wspipetest.Dial(t, s.WS, &websocket.DialOptions{Subprotocols: []string{"v1.wspipe"}})
	for !strings.Contains(c.Next(), "ready") {
	}
	c.Write(c.Ctx, websocket.MessageBinary, []byte("\x05"+`{"type":"resize","cols":120,"rows":40}`))
	c.Write(c.Ctx, websocket.MessageBinary, []byte("\x00secret\n"))
	c.ExpectEnd(1000, "signal TERM")
	got := awaitCast(t, dir, "the exit", isOver)
	if got.header.Width != 100 || got.header.Height != 30 || got.text['o'] != "ready\r\n" || got.text['r'] != "120x40" || got.text['i'] != "secret\n" {
		t.Errorf("%+v", got)
	}
	if last := got.events[len(got.events)-1]; last != "m signal TERM" {
		t.Errorf("last event %q", last)
	}
}

// TestRecordingOfSharedChild has two clients, and one of them after the other.
func TestRecordingOfSharedChild(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := wspipetest.Start(t, "--record="+dir, "--share=broadcast", "--linger=-1", "cat")
	for range 2 {
		c := dial(t, s.WS)
		c.Send("x")
		c.Expect("x")
		c.Close(1000, "bye")
	}
	got := awaitCast(t, dir, "two clients", func(c *cast) bool { return len(c.markers()) == 4 })
	s.Signal(syscall.SIGTERM)
	s.Wait()
	markers := got.markers()
	awaitCast(t, dir, "the exit", isOver).expectMarkers(t, markers[0], "disconnect 1000 bye", markers[2], "disconnect 1000 bye", "exit 0")
}

// TestRecordingSurvivesKill kills the server as soon as the output is on disk, which takes less
// than a second.
func TestRecordingSurvivesKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := wspipetest.Start(t, "--record="+dir, "cat")
	c := dial(t, s.WS)
	n := 0
	wspipetest.Soon(t, time.Second, func() time.Duration {
		n++
		line := fmt.Sprintf("line %d\n", n)
		c.Send(strings.TrimSpace(line))
		c.Next()
		begun := time.Now()
		awaitCast(t, dir, line, func(c *cast) bool { return strings.Contains(c.text['o'], line) })
		return time.Since(begun)
	})
	s.Signal(syscall.SIGKILL)
	s.Wait()
	path := casts(t, dir)[0].path
	out, err := exec.Command(wspipetest.Binary(t), "replay", path).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "line 1\n") {
		t.Errorf("replay: %v, %q", err, out)
	}
}

// TestRecordingOnFullDisk has a disk of 64 KiB.
func TestRecordingOnFullDisk(t *testing.T) {
	t.Parallel()
	wspipetest.NeedNamespaces(t, "mount")
	dir := t.TempDir()
	cmd := exec.Command("unshare", "--mount", "sh", "-ec", `mount -t tmpfs -o size=64k none "$1"; exec "$2" --port=0 --record="$1" sh -c 'seq 1 200000; read copy; cat "$copy"/*'`, "sh", dir, wspipetest.Binary(t))
	s := wspipetest.StartCommand(t, cmd)
	c := dial(t, s.WS)
	for n := 1; n <= 200000; n++ {
		if got := c.Next(); got != fmt.Sprint(n) {
			t.Fatalf("got %q, want %d", got, n)
		}
	}
	s.AwaitStderr("recording stopped")
	c.Send(dir)
	messages := c.ExpectEnd(1000, "exit 0")
	var last [3]any
	if err := json.Unmarshal([]byte(messages[len(messages)-1]), &last); err != nil {
		t.Errorf("the last line is not an event: %v", err)
	}
	if n := strings.Count(s.Stderr(), "recording stopped"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// TestRecordingIsNotServed: not even if DIR is in the directory of static files.
func TestRecordingIsNotServed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "page.txt"), "hello")
	s := wspipetest.Start(t, "--record="+dir, "--staticdir="+dir, "echo", "hello")
	dial(t, s.WS).ExpectEnd(1000, "exit 0")
	name := filepath.Base(awaitCast(t, dir, "the exit", isOver).path)
	for path, want := range map[string]int{"page.txt": 200, name: 404} {
		resp, err := http.Get("http" + strings.TrimPrefix(s.WS, "ws") + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

// TestAsciinemaPlaysRecordings compares what asciinema prints with what clients got.
func TestAsciinemaPlaysRecordings(t *testing.T) {
	t.Parallel()
	wspipetest.Need(t, "asciinema")
	wspipetest.Need(t, "script")
	vim := wspipetest.Need(t, "vim")
	for name, command := range map[string][]string{
		"lines":  {"seq", "1", "300000"},
		"binary": {"--binary", "head", "-c", "3000000", "/dev/urandom"},
		"tail":   {"sh", "-c", `(for i in $(seq 300); do echo "$i: Grüße" >>"$1"; sleep 0.01; done) & tail -n +1 -F --pid=$! "$1" 2>&1`, "sh", filepath.Join(t.TempDir(), "log")},
		"vim":    {"--pty", vim, "-u", "NONE", "-c", "redraw|qall", "/etc/passwd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := wspipetest.Start(t, append([]string{"--record=" + dir}, command...)...)
			messages, _ := dial(t, s.WS).Rest()
			want := strings.Join(messages, "")
			if name == "lines" || name == "tail" {
				want = strings.Join(messages, "\n") + "\n"
			}
			path := awaitCast(t, dir, "the exit", isOver).path
			out := filepath.Join(dir, "out")
			cmd := exec.Command("script", "-qec", fmt.Sprintf("asciinema cat %s >%s", path, out), "/dev/null")
			cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
			if text, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("asciinema: %v\n%s", err, text)
			}
			if got := read(t, out); got != string(framing.AppendValid(nil, []byte(want))) {
				t.Errorf("asciinema prints %d bytes, clients got %d", len(got), len(want))
			}
		})
	}
}
