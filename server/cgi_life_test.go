//go:build unix

package server_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
)

// How CGI programs and their clients take part, and how each of them goes.

func TestCGIRequestBody(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, server.Config{}, map[string]string{"run": textHeader + `printf '%s:' "$CONTENT_LENGTH"; cat`})
	for name, body := range map[string]io.Reader{
		"4:body": strings.NewReader("body"),
		":body":  io.MultiReader(strings.NewReader("bo"), strings.NewReader("dy")), // chunked
		":":      nil,
	} {
		if resp, got := fetch(t, "POST", s.http("run"), body); resp.StatusCode != 200 || got != name {
			t.Errorf("got %d %q, want %q", resp.StatusCode, got, name)
		}
	}
}

// TestCGICarriesLargeBodies: both ways at once, larger than all buffers.
func TestCGICarriesLargeBodies(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, server.Config{}, map[string]string{"run": `printf 'Content-Type: application/octet-stream\n\n'; exec cat`})
	body := make([]byte, 20<<20)
	rand.NewChaCha8([32]byte{1}).Read(body)
	for name, r := range map[string]io.Reader{"known length": bytes.NewReader(body), "chunked": io.MultiReader(bytes.NewReader(body))} {
		if _, got := fetch(t, "POST", s.http("run"), r); sha256.Sum256([]byte(got)) != sha256.Sum256(body) {
			t.Errorf("%s: got %d other bytes", name, len(got))
		}
	}
}

// TestCGIStreams: each part of the response is sent while the program waits for the next part of the
// request.
func TestCGIStreams(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, server.Config{}, map[string]string{"run": textHeader + `while read l; do echo "$l!"; done`})
	c := wspipetest.Connect(t, s.Addr())
	c.Send("POST /run HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
	var body io.Reader
	for _, line := range []string{"one", "two", "three"} {
		c.Send(fmt.Sprintf("%x\r\n%s\n\r\n", len(line)+1, line))
		if body == nil {
			body = c.Response("POST").Body
		}
		got := make([]byte, len(line)+2)
		if _, err := io.ReadFull(body, got); err != nil || string(got) != line+"!\n" {
			t.Fatalf("got %q %v", got, err)
		}
	}
	c.Send("0\r\n\r\n")
	if rest, err := io.ReadAll(body); err != nil || len(rest) > 0 {
		t.Errorf("then %q %v", rest, err)
	}
}

// TestCGIHeaderIsSentAtOnce: the header is sent before the body, which the program writes only later.
func TestCGIHeaderIsSentAtOnce(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, server.Config{}, map[string]string{"run": textHeader + `while [ ! -e go ]; do sleep 0.01; done; echo gone`})
	c := wspipetest.Connect(t, s.Addr())
	c.Send("GET /run HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	resp := c.Response("GET")
	if err := os.WriteFile(s.cfg.CGIDir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "gone\n" {
		t.Errorf("got %q %v", body, err)
	}
}

// TestCGIKeepsTheConnection: for the next request, unless a part of the request body may be unread.
func TestCGIKeepsTheConnection(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, server.Config{}, map[string]string{
		"get": textHeader + `echo got`, "length": `printf 'Content-Length: 1\nContent-Type: text/x\n\nx'`,
		"none": `printf 'Status: 204\n\nbody'`, "bad": `:`, "post": textHeader + `cat`,
		"count": textHeader + `head -c $CONTENT_LENGTH`, "deaf": textHeader + `exec <&-; sleep 0.1; echo deaf`,
	})
	c := wspipetest.Connect(t, s.Addr())
	for range 3 {
		for _, test := range []struct {
			request, body string
			status        int
		}{
			{"GET /get HTTP/1.1\r\n\r\n", "got\n", 200},
			{"POST /post HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", "body", 200},
			{"POST /count HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", "body", 200},
			{"POST /deaf HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", "deaf\n", 200},
			{"GET /length HTTP/1.1\r\n\r\n", "x", 200},
			{"GET /none HTTP/1.1\r\n\r\n", "", 204},
			{"GET /bad HTTP/1.1\r\n\r\n", "wspipe: the CGI program sent no valid response\n", 500},
			{"GET /nothing HTTP/1.1\r\n\r\n", "wspipe: no page at this path\n", 404},
		} {
			method, _, _ := strings.Cut(test.request, " ")
			c.Send(strings.Replace(test.request, "\r\n", "\r\nHost: 127.0.0.1\r\n", 1))
			resp, body := c.Whole(method)
			if resp.StatusCode != test.status || body != test.body || resp.Close {
				t.Fatalf("%q: got %d %q, closed: %v", test.request, resp.StatusCode, body, resp.Close)
			}
		}
	}
}

// TestUnreadBodyIsNotARequest: the program leaves a part of the body unread that looks like a
// request.
func TestUnreadBodyIsNotARequest(t *testing.T) {
	t.Parallel()
	const inner = "GET /inner HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
	rest := strings.Repeat("x", server.SmallBody)
	for name, script := range map[string]string{
		"good answer": textHeader + `echo done`,
		"bad answer":  `echo done`,
		"stays":       textHeader + `echo done; exec >&-; sleep 0.3`,
		"its length":  `printf 'Content-Length: 4\nContent-Type: text/x\n\ndone'`,
	} {
		for _, field := range []string{fmt.Sprintf("Content-Length: %d\r\n\r\n", len(rest)+len(inner)), "Transfer-Encoding: chunked\r\n\r\n"} {
			t.Run(name+"/"+field[:8], func(t *testing.T) {
				t.Parallel()
				s := serveCGI(t, server.Config{}, map[string]string{"run": script, "inner": textHeader + `echo started >&2`})
				c := wspipetest.Connect(t, s.Addr())
				c.Send("POST /run HTTP/1.1\r\nHost: 127.0.0.1\r\n" + field)
				c.Whole("POST")
				io.WriteString(c, rest+inner) // the connection may be closed
				c.TCP().CloseWrite()
				more, _ := io.ReadAll(c.In)
				if len(more) > 0 && !strings.HasPrefix(string(more), "HTTP/1.1 400 ") || strings.Contains(s.log.String(), "/inner") {
					t.Errorf("the body was taken for a request: %q", more)
				}
				if strings.Contains(s.log.String(), "timed out") {
					t.Error("the log has a timeout, though the program did not want the body")
				}
			})
		}
	}
}

// TestSmallBodyIsReadFirst: before the program is started.
func TestSmallBodyIsReadFirst(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, server.Config{MaxChildren: 1, Timeouts: server.Timeouts{Body: 100 * time.Millisecond}}, map[string]string{"run": textHeader + `echo started >&2`})
	c := wspipetest.Connect(t, s.Addr())
	c.Send("POST /run HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\nhalf")
	resp, body := c.Whole("POST")
	if resp.StatusCode != 408 || body != "wspipe: timed out reading the request body\n" || strings.Contains(s.log.String(), `"started"`) {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
	awaitFree(t, s)
}

// TestCGIMayLeaveABodyUnread: whatever its size.
func TestCGIMayLeaveABodyUnread(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, server.Config{}, map[string]string{"run": textHeader + `read l; echo "$l"`})
	for _, size := range []int{10, 100_000, 200_000} { // all fit into the socket: the client reads only after writing
		c := wspipetest.Connect(t, s.Addr())
		go fmt.Fprintf(c, "POST /run HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\nfirst\n%s", size+6, strings.Repeat("x", size)) // ends with c
		if resp, body := c.Whole("POST"); resp.StatusCode != 200 || body != "first\n" {
			t.Errorf("with %d bytes: got %d %q", size, resp.StatusCode, body)
		}
		awaitFree(t, s)
	}
}

// family is a program with a child, which both ignore all signals but SIGKILL.
const family = `trap '' INT TERM HUP; (while :; do sleep 1000; done) & `

// TestCGIGroupEndsWithClient: the process session ends and its slot is freed.
func TestCGIGroupEndsWithClient(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ request, script string }{
		"silent":    {"GET /run HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", textHeader + `echo $$; wait`},
		"flooding":  {"GET /run HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", textHeader + `echo $$; exec yes`},
		"uploading": {"POST /run HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\nmore", textHeader + `echo $$; cat; wait`},
		// The program does not read the body.
		"stalling":   {"POST /run HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 120_000), textHeader + `echo $$; wait`},
		"pipelining": {"GET /run HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /run HTTP/1.1", textHeader + `echo $$; exec yes`},
	} {
		for _, how := range []string{"hangs up", "resets"} {
			t.Run(name+"/"+how, func(t *testing.T) {
				t.Parallel()
				s := serveCGI(t, server.Config{MaxChildren: 1}, map[string]string{"run": family + test.script})
				c := wspipetest.Connect(t, s.Addr())
				c.Send(test.request)
				pid := firstPid(t, c)
				leave[how](c)
				awaitGone(t, pid)
				awaitFree(t, s)
			})
		}
	}
}

// firstPid reads the first line of a response, a process ID.
func firstPid(t *testing.T, c *wspipetest.Raw) int {
	t.Helper()
	var pid int
	if _, err := fmt.Fscanln(c.Response("GET").Body, &pid); err != nil || pid <= 0 {
		t.Fatalf("got pid %d, %v", pid, err)
	}
	return pid
}

func TestShutdownStopsCGI(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"silent":   family + textHeader + `echo $$; wait`,
		"flooding": textHeader + `echo $$; exec yes`, // the client does not read it
		"gone":     textHeader + `echo $$; exec >&- 2>&-; sleep 1000`,
		// The program exits, and its client never reads the rest.
		"ended": textHeader + `echo $$; yes & sleep 1; kill $!`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveCGI(t, server.Config{}, map[string]string{"run": script})
			c := wspipetest.Connect(t, s.Addr())
			c.Send("GET /run HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
			pid := firstPid(t, c)
			if name == "ended" {
				awaitGone(t, pid)
			}
			s.stop()
			select {
			case status := <-s.status:
				if status != 0 || syscall.Kill(-pid, 0) == nil {
					t.Errorf("status %d, or its group is left", status)
				}
			case <-time.After(wspipetest.Patience):
				t.Fatal("the server did not stop")
			}
		})
	}
}

func TestMaxRuntimeStopsCGI(t *testing.T) {
	t.Parallel()
	s := serveCGI(t, server.Config{Endpoint: server.Endpoint{MaxRuntime: time.Second}}, map[string]string{"run": family + textHeader + `echo $$; wait`})
	c := wspipetest.Connect(t, s.Addr())
	c.Send("GET /run HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	awaitGone(t, firstPid(t, c))
	awaitFree(t, s)
	s.log.Await(t, "cgi program timed out", 1)
}

// TestCGIProgramThatRunsOn: a program may run on after it has closed its output. The response does not
// wait for it.
func TestCGIProgramThatRunsOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// Longer than the wait before the first signal, which would end it.
	script := textHeader + `echo done; exec >&-; sleep 0.5; echo >"$QUERY_STRING.end"`
	s := serveCGI(t, server.Config{}, map[string]string{"run": script})
	for i, request := range []string{
		"GET /run?%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
		"POST /run?%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\nhalf", // the rest never arrives
	} {
		name := strconv.Itoa(i)
		path := filepath.Join(dir, name)
		c := wspipetest.Connect(t, s.Addr())
		c.Send(fmt.Sprintf(request, path))
		if _, body := c.Whole("GET"); body != "done\n" {
			t.Errorf("%s: got %q", name, body)
		}
		c.Close()
		wspipetest.Eventually(t, name+": the program has finished", func() bool {
			_, err := os.Stat(path + ".end")
			return err == nil
		})
	}
	awaitFree(t, s)
}

// TestCGIDescendantHoldsOutput: for longer than 2 s after the exit.
func TestCGIDescendantHoldsOutput(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"silent":  `sleep 1000 & exit 0`,
		"talking": `(while echo more; do sleep 0.05; done) & exit 0`,
		"deaf":    `(trap '' INT TERM; while :; do sleep 1000; done) & exit 0`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveCGI(t, server.Config{}, map[string]string{"run": textHeader + "echo $$; " + script})
			c := wspipetest.Connect(t, s.Addr())
			c.Send("GET /run HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
			resp := c.Response("GET")
			var pid int
			fmt.Fscanln(resp.Body, &pid)
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Error(err)
			}
			awaitGone(t, pid)
			awaitFree(t, s)
		})
	}
}

// TestCGILeavesNothing is not parallel because it counts descriptors.
func TestCGILeavesNothing(t *testing.T) {
	s := serveCGI(t, server.Config{}, map[string]string{
		"good": textHeader + `cat`, "bad": `cat >/dev/null`, "deaf": textHeader, "slow": textHeader + `echo $$; sleep 1000`, "no": "",
	})
	wspipetest.WriteFile(t, s.cfg.CGIDir+"/no", "#!/no/such/interpreter")
	round := func() {
		for _, path := range []string{"good", "bad", "deaf", "no", "none"} {
			fetch(t, http.MethodPost, s.http(path), strings.NewReader("body"))
		}
		c := wspipetest.Connect(t, s.Addr())
		c.Send("GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		pid := firstPid(t, c)
		c.Close()
		awaitGone(t, pid)
		awaitFree(t, s)
	}
	round()
	before := openFiles(t)
	for range 10 {
		round()
	}
	wspipetest.Eventually(t, "every descriptor is closed", func() bool { return openFiles(t) <= before })
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}
