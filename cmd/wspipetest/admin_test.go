//go:build unix

package wspipetest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// operator is who uses the admin socket of a server.
type operator struct {
	t      *testing.T
	socket string
	http   *http.Client
}

// sessionLine is a line of GET /sessions.
type sessionLine struct {
	ID, Endpoint, Room, User, Remote string
	Pid, Clients, Waiting            int
	Since                            time.Time
	MessagesIn                       int `json:"messages_in"`
	MessagesOut                      int `json:"messages_out"`
	BytesIn                          int `json:"bytes_in"`
	BytesOut                         int `json:"bytes_out"`
}

// startOperated starts wspipe --admin with args.
func startOperated(t *testing.T, args ...string) (*wspipetest.Server, *operator) {
	t.Helper()
	o := newOperator(t)
	return wspipetest.Start(t, append([]string{"--admin=" + o.socket}, args...)...), o
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	o := &operator{t: t, socket: filepath.Join(t.TempDir(), "admin")}
	o.http = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", o.socket)
	}}}
	return o
}

func (o *operator) do(method, path string) (status int, body string) {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), method, "http://localhost"+path, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	resp, err := o.http.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (o *operator) sessions() (all []sessionLine) {
	o.t.Helper()
	_, body := o.do("GET", "/sessions")
	for line := range strings.Lines(body) {
		var s sessionLine
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			o.t.Fatalf("%v in %q", err, line)
		}
		all = append(all, s)
	}
	return all
}

// await waits until there is one session, for which cond holds.
func (o *operator) await(what string, cond func(s sessionLine) bool) (one sessionLine) {
	o.t.Helper()
	wspipetest.Eventually(o.t, what, func() bool {
		all := o.sessions()
		if len(all) == 1 {
			one = all[0]
		}
		return len(all) == 1 && cond(one)
	})
	return one
}

// wspipe runs wspipe with args and returns how it ends.
func (o *operator) wspipe(args ...string) (status int, stdout, stderr string) {
	o.t.Helper()
	cmd := exec.Command(wspipetest.Binary(o.t), args...)
	cmd.Env = append(os.Environ(), "WSPIPE_ADMIN="+o.socket, "GORACE=atexit_sleep_ms=0")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	return exitStatus(o.t, cmd.Run()), out.String(), errs.String()
}

// clientID is an ID that a client has generated, and that nobody else may see.
const clientID = "abcdefghijklmnopqrstuvwxyz"

func TestOperatorSeesAndEndsSessions(t *testing.T) {
	t.Parallel()
	const cat = `echo $$; exec cat` // says its pid, and then what it reads; so does mux
	const mux = `while read -r event; do
		case $event in
			*'"open"'*) echo "{\"to\":\"*\",\"data\":\"$$\"}";;
			*'"message"'*) echo '{"to":"*","data":"hello"}';;
		esac
	done`
	for name, kind := range map[string]struct {
		flags         []string
		script, query string
	}{
		"plain":     {nil, cat, ""},
		"broadcast": {[]string{"--share=broadcast"}, cat, ""},
		"mux":       {[]string{"--share=mux"}, mux, ""},
		"resume":    {[]string{"--resume=1h"}, cat, "?wspipe_session=" + clientID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, o := startOperated(t, slices.Concat(kind.flags, []string{"sh", "-c", kind.script})...)
			if got := o.sessions(); len(got) != 0 {
				t.Errorf("without a client: %v", got)
			}
			c := dial(t, s.WS+kind.query)
			pid := readPid(t, c)
			c.Send("hello")
			c.Expect("hello")
			got := o.await("the traffic", func(s sessionLine) bool { return s.MessagesOut == 2 && s.Waiting == 0 })
			want := sessionLine{ID: got.ID, Endpoint: "/", Remote: got.Remote, Pid: pid, Clients: 1, Since: got.Since,
				MessagesIn: 1, MessagesOut: 2, BytesIn: 5, BytesOut: len(strconv.Itoa(pid)) + 5}
			if got != want || !strings.HasPrefix(got.Remote, "127.0.0.1:") || time.Since(got.Since) > wspipetest.Patience {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			s.AwaitStderr("msg=connect session=" + got.ID)
			if status, body := o.do("DELETE", "/sessions/"+got.ID); status != 204 || body != "" {
				t.Errorf("DELETE: %d %q", status, body)
			}
			c.ExpectEnd(1001, "ended by the operator")
			until(t, "the child has ended", func() bool { return gone(pid) })
			until(t, "the session has ended", func() bool { return len(o.sessions()) == 0 })
			if status, _ := o.do("DELETE", "/sessions/"+got.ID); status != 404 {
				t.Errorf("DELETE again: %d", status)
			}
			if kind.query != "" {
				dial(t, s.WS+kind.query+"&wspipe_after=1").ExpectEnd(4011, "history lost")
			}
			if next := readPid(t, dial(t, s.WS+kind.query)); next == pid {
				t.Error("the next client has the old child")
			}
		})
	}
}

func TestSessionLineHasTheseKeys(t *testing.T) {
	t.Parallel()
	s, o := startOperated(t, "cat")
	dial(t, s.WS)
	o.await("the session", func(sessionLine) bool { return true })
	_, line := o.do("GET", "/sessions")
	var keys []string
	for _, m := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(line, -1) {
		keys = append(keys, m[1])
	}
	if got, want := strings.Join(keys, " "), "id endpoint room user remote pid clients since messages_in messages_out bytes_in bytes_out waiting"; got != want {
		t.Errorf("keys %s\nwant %s", got, want)
	}
}

// TestOperatorSeesSharedChild has two clients of one child, of which the first has a name
// and leaves. Hello and the log tell the same session to both.
func TestOperatorSeesSharedChild(t *testing.T) {
	t.Parallel()
	for _, share := range []string{"broadcast", "mux"} {
		s, o := startOperated(t, "--share="+share, "--linger=-1", "--trusted-proxy=127.0.0.1", "--auth-header=X-User", "sh", "-c", "sleep 1000")
		connectAs := func(user string) (c *wspipetest.Client, session string) {
			c = wspipetest.Dial(t, s.WS, &websocket.DialOptions{HTTPHeader: http.Header{"X-User": {user}}, Subprotocols: []string{"v1.wspipe"}})
			_, hello, _ := strings.Cut(c.Next(), `"session":"`)
			session, _, _ = strings.Cut(hello, `"`)
			return c, session
		}
		first, inHello := connectAs("alice smith")
		id := o.await("one client", func(s sessionLine) bool { return s.Clients == 1 && s.ID == inHello && s.User == "alice smith" }).ID
		second, inHello := connectAs("bob")
		one := o.await("two clients", func(s sessionLine) bool { return s.Clients == 2 && s.ID == inHello && s.User == "alice smith" })
		s.AwaitStderr("msg=connect session=" + id + " remote=" + one.Remote + ` user="alice smith" client=1`)
		first.Close(1000, "")
		o.await("one client", func(s sessionLine) bool { return s.Clients == 1 && s.Remote == one.Remote })
		second.Close(1000, "")
		o.await("none", func(s sessionLine) bool { return s.Clients == 0 && s.ID == id })
	}
}

// TestOperatorEndsNewSession ends each session as soon as its client knows the ID.
func TestOperatorEndsNewSession(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"plain": nil, "broadcast": {"--share=broadcast"}, "mux": {"--share=mux"}, "resume": {"--resume=1h"}} {
		s, o := startOperated(t, slices.Concat(flags, []string{"cat"})...)
		for range 40 {
			c := wspipetest.Dial(t, s.WS, &websocket.DialOptions{Subprotocols: []string{"v1.wspipe"}})
			_, hello, _ := strings.Cut(c.Next(), `"session":"`)
			session, _, _ := strings.Cut(hello, `"`)
			if status, body := o.do("DELETE", "/sessions/"+session); status != 204 {
				t.Fatalf("%s: %d %q", name, status, body)
			}
			c.ExpectEnd(1001, "ended by the operator")
		}
	}
}

// TestOperatorSeesDetachedSession also sees what is held for it, and ends it.
func TestOperatorSeesDetachedSession(t *testing.T) {
	t.Parallel()
	s, o := startOperated(t, "--resume=1h", "sh", "-c", `echo $$; read go; echo 12345678; read end; exit 3`)
	url := s.WS + "?wspipe_session=" + clientID
	c := dial(t, url)
	pid := readPid(t, c)
	c.Send("go")
	o.await("the output", func(s sessionLine) bool { return s.MessagesOut == 2 })
	c.CloseNow()
	o.await("no client", func(s sessionLine) bool { return s.Clients == 0 && s.Pid == pid && s.MessagesIn == 1 })
	c = dial(t, url+"&wspipe_after=2")
	o.await("a client", func(s sessionLine) bool { return s.Clients == 1 })
	c.CloseNow()
	session := o.await("no client", func(s sessionLine) bool { return s.Clients == 0 })
	_, list := o.do("GET", "/sessions")
	_, table, _ := o.wspipe("ps")
	if all := list + table + s.Stderr(); strings.Contains(all, clientID) {
		t.Errorf("the client's ID is in\n%s", all)
	}
	if status, _ := o.do("DELETE", "/sessions/"+session.ID); status != 204 {
		t.Errorf("DELETE: %d", status)
	}
	until(t, "the child has ended", func() bool { return gone(pid) && len(o.sessions()) == 0 })
	dial(t, url+"&wspipe_after=2").ExpectEnd(4011, "history lost")
}

// TestChannelBytesDoNotCount has a client with channels, which resumes.
func TestChannelBytesDoNotCount(t *testing.T) {
	t.Parallel()
	s, o := startOperated(t, "--resume=1h", "sh", "-c", "printf hello; exec sleep 1000")
	wspipetest.Dial(t, s.WS+"?wspipe_session="+clientID, &websocket.DialOptions{Subprotocols: []string{"v1.wspipe"}})
	if got := o.await("a message", func(s sessionLine) bool { return s.MessagesOut > 0 }); got.MessagesOut != 1 || got.BytesOut != 5 {
		t.Errorf("%d messages, %d bytes", got.MessagesOut, got.BytesOut)
	}
}

// TestOperatorSeesBacklog has a client that reads nothing, and one who comes and goes.
func TestOperatorSeesBacklog(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"plain": nil, "broadcast": {"--share=broadcast", "--slow=block"}, "resume": {"--resume=1h"}} {
		s, o := startOperated(t, slices.Concat(flags, []string{"yes", strings.Repeat("x", 10_000)})...)
		c := dial(t, s.WS+"?wspipe_session="+clientID)
		o.await(name+": a backlog to the client", func(s sessionLine) bool { return s.Waiting >= 10_000 })
		c.CloseNow()
	}
	s, o := startOperated(t, "sh", "-c", `exec sleep 1000`)
	c := dial(t, s.WS)
	for range 20 {
		c.Send(strings.Repeat("x", 10_000))
	}
	o.await("a backlog to the child", func(s sessionLine) bool { return s.Waiting >= 10_000 && s.MessagesIn == 20 })
}

func TestAdminMethodsAndPaths(t *testing.T) {
	t.Parallel()
	s, o := startOperated(t, "--staticdir="+t.TempDir(), "cat")
	for request, want := range map[string]int{
		"GET /sessions": 200, "HEAD /sessions": 200, "POST /sessions": 405, "DELETE /sessions": 405,
		"GET /sessions/x": 405, "PUT /sessions/x": 405, "DELETE /sessions/x": 404, "DELETE /sessions/": 404, "GET /": 404,
	} {
		method, path, _ := strings.Cut(request, " ")
		if got, body := o.do(method, path); got != want {
			t.Errorf("%s: %d %q, want %d", request, got, body, want)
		}
	}
	public := "http" + strings.TrimPrefix(s.WS, "ws") + "sessions"
	resp, err := http.Get(public)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 404 {
		t.Errorf("GET %s: %s", public, resp.Status)
	}
}

func TestAdminSocketFile(t *testing.T) {
	t.Parallel()
	s, o := startOperated(t, "cat")
	if info, err := os.Lstat(o.socket); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	serve := func(socket string) (status int, stderr string) {
		status, _, stderr = o.wspipe("--port=0", "--admin="+socket, "cat")
		return status, stderr
	}
	want := "wspipe: cannot listen on " + o.socket + ": address already in use by a running server\nwspipe: hint: stop that server or use another file: --admin=" + o.socket + ".2\n"
	if status, stderr := serve(o.socket); status != 1 || stderr != want {
		t.Errorf("a live socket: status %d, stderr %q", status, stderr)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, stderr := serve(file); status != 1 || !strings.Contains(stderr, "the file exists and is not a socket") || !wspipetest.Exists(t, file) {
		t.Errorf("a file: status %d, stderr %q", status, stderr)
	}
	s.Signal(syscall.SIGKILL)
	s.Wait()
	if !wspipetest.Exists(t, o.socket) {
		t.Fatal("a killed server left no socket")
	}
	s = wspipetest.Start(t, "--admin="+o.socket, "cat")
	if got := o.sessions(); len(got) != 0 {
		t.Errorf("sessions %v", got)
	}
	s.Signal(syscall.SIGTERM)
	if s.Wait(); wspipetest.Exists(t, o.socket) {
		t.Error("the socket is still there after a clean stop")
	}
}

// TestAdminDuringShutdown has a child that the server waits for as long as it takes.
func TestAdminDuringShutdown(t *testing.T) {
	t.Parallel()
	s, o := startOperated(t, "--closems=-1", "sh", "-c", "trap '' INT TERM; echo $$; exec sleep 1000")
	pid := readPid(t, dial(t, s.WS))
	s.Signal(syscall.SIGTERM)
	s.AwaitStderr("msg=stopping")
	o.await("the session", func(s sessionLine) bool { return s.Pid == pid })
	syscall.Kill(pid, syscall.SIGKILL)
	s.Wait()
}

func TestPsAndKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a b.sh", "c.sh"} {
		wspipetest.WriteMode(t, filepath.Join(dir, name), "#!/bin/sh\necho $$\nexec cat\n", 0o755)
	}
	s, o := startOperated(t, "--dir="+dir, "--trusted-proxy=127.0.0.1", "--auth-header=X-User")
	connect := func(path, user string) *wspipetest.Client {
		return wspipetest.Dial(t, s.WS+path, &websocket.DialOptions{HTTPHeader: http.Header{"X-User": {user}}})
	}
	one := connect("a%20b.sh", "J\u00f6rg\u202e 100%")
	pid := readPid(t, one)
	two, three := connect("c.sh", "-"), connect("c.sh", "bob")
	until(t, "three sessions", func() bool { return len(o.sessions()) == 3 })
	status, stdout, stderr := o.wspipe("ps")
	lines := strings.Split(stdout, "\n")
	if got, want := strings.Join(strings.Fields(lines[0]), " "), "ID ENDPOINT ROOM USER REMOTE PID CLIENTS AGE IN OUT WAITING"; status != 0 || stderr != "" || got != want {
		t.Errorf("status %d, stderr %q, header %q", status, stderr, got)
	}
	row := regexp.MustCompile(`^([0-9a-f]{32}) +/a%20b.sh +- +J\x{f6}rg%E2%80%AE%20100%25 +127.0.0.1:\d+ +` + strconv.Itoa(pid) + ` +1 +\d+s +0 +\d+ +0$`).FindStringSubmatch(lines[1])
	if len(lines) != 5 || row == nil || !strings.Contains(stdout, " %2D ") {
		t.Fatalf("ps prints\n%s", stdout)
	}
	expect := func(status int, stderr string, args ...string) {
		t.Helper()
		if got, out, err := o.wspipe(args...); got != status || out != "" || err != stderr {
			t.Errorf("%q: status %d, stdout %q, stderr %q", args, got, out, err)
		}
	}
	expect(0, "", "kill", row[1])
	one.ExpectEnd(1001, "ended by the operator")
	until(t, "two sessions", func() bool { return len(o.sessions()) == 2 })
	expect(1, "wspipe: no session "+row[1]+"\nwspipe: hint: wspipe ps lists the sessions\n", "kill", row[1])
	expect(0, "wspipe: no session to end\n", "kill", "--endpoint=/a%20b.sh")
	expect(0, "", "kill", "--endpoint=/c.sh")
	two.ExpectEnd(1001, "ended by the operator")
	three.ExpectEnd(1001, "ended by the operator")
	four := connect("c.sh", "eve")
	readPid(t, four)
	expect(0, "", "kill", "--all")
	four.ExpectEnd(1001, "ended by the operator")
	missing := o.socket + ".2"
	expect(1, "wspipe: cannot connect to "+missing+": no such file or directory\nwspipe: hint: no server runs with this socket; start one with wspipe --admin=SOCKET\n", "ps", "--admin="+missing)
	public := wspipetest.StartCommand(t, exec.Command(wspipetest.Binary(t), "--unixsocket="+missing, "cat"))
	expect(1, "wspipe: "+missing+" is not the --admin socket of a wspipe server (it answers 404 Not Found)\n", "ps", "--admin="+strings.TrimPrefix(public.WS, "unix:"))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOperatorSeesRoutesAndRooms(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "routes")
	write(t, file, "/chat/ --share=broadcast --share-by=path -- cat\n/echo -- cat\n")
	s, o := startOperated(t, "--routes="+file)
	var rooms []*wspipetest.Client
	for _, path := range []string{"chat/a%20b", "chat/a%20b", "chat/c", "echo"} {
		c := dial(t, s.WS+path)
		c.Send("x")
		c.Expect("x")
		rooms = append(rooms, c)
	}
	var got []string
	until(t, "all are there", func() bool {
		got = nil
		for _, s := range o.sessions() {
			got = append(got, fmt.Sprint(s.Endpoint, " ", s.Room, " ", s.Clients))
		}
		slices.Sort(got)
		return slices.Equal(got, []string{"/chat/ /a b 2", "/chat/ /c 1", "/echo  1"})
	})
	handshakeStatus(t, "http"+strings.TrimPrefix(s.WS, "ws")+"chat/"+strings.Repeat("x", 300), nil)
	if n := o.metrics()[`refusals_total{rule="room"}`]; n != 1 {
		t.Errorf("%v refusals of a room", n)
	}
	if _, table, _ := o.wspipe("ps"); !regexp.MustCompile(` /chat/ +/a%20b +- `).MatchString(table) {
		t.Errorf("ps prints\n%s", table)
	}
	if status, _, stderr := o.wspipe("kill", "--endpoint=/chat/"); status != 0 {
		t.Errorf("kill: status %d, %s", status, stderr)
	}
	for _, c := range rooms[:3] {
		c.ExpectEnd(1001, "ended by the operator")
	}
	o.await("the other endpoint", func(s sessionLine) bool { return s.Endpoint == "/echo" })
}
