//go:build unix

package wspipetest_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// The rows of the table that are more than an exchange of messages: see kinds_test.go.

// stubbornPair writes the IDs of two processes that only SIGKILL ends, one of them in a process
// group of its own.
const stubbornPair = `trap "" INT TERM HUP; echo $$; timeout 1000 sh -c "echo \$\$; exec sleep 1000" & while :; do sleep 1000; done`

// attachAll connects a client for each cell, and returns them when their children have written the
// IDs of their processes.
func attachAll(t *testing.T, s *wspipetest.Server, row string) (clients map[kindCell]*kindClient, pids []int) {
	clients = make(map[kindCell]*kindClient)
	var mu sync.Mutex
	inParallel(t, func(cell func(name string, f func(t *testing.T))) {
		forKinds("", func(k kindCell) {
			c := newKindClient(t, s, k.client, k.child, k.path(row))
			clients[k] = c
			cell(k.path(row), func(t *testing.T) {
				until(t, "a slot is free", func() bool { return c.connect(false) != http.StatusTooManyRequests })
				own := []int{atoi(t, c.next()), atoi(t, c.next())}
				mu.Lock()
				defer mu.Unlock()
				pids = append(pids, own...)
			})
		})
	})
	return clients, pids
}

// TestKindsDisconnect: whichever way a client disconnects, the processes of its child end, and its
// slot is free.
func TestKindsDisconnect(t *testing.T) {
	t.Parallel()
	var routes strings.Builder
	cells := 0
	for _, way := range []string{"closes", "aborts"} {
		forKinds("", func(k kindCell) {
			flags := ""
			if k.child == "resume" {
				flags = "--resume=200ms"
			}
			cells++
			routes.WriteString(k.route(way, flags, stubbornPair))
		})
	}
	s := startKinds(t, routes.String(), fmt.Sprintf("--maxforks=%d", cells/2))
	for _, way := range []string{"closes", "aborts", "closes"} { // there are slots for one of them
		clients, pids := attachAll(t, s, way)
		records := &kindRecords{want: make(map[string]string)}
		for _, c := range clients {
			if c.conn != nil && way == "closes" {
				records.add(c, `code=1000 reason=""`)
				go c.conn.Close(websocket.StatusNormalClosure, "") // ends when the server has answered
				continue
			}
			records.add(c, "code=1006")
			c.cancel()
		}
		for _, pid := range pids {
			until(t, "the processes of all children have ended", func() bool { return gone(pid) })
		}
		records.await(s)
	}
}

// TestKindsShutdown: each client is told of the end of the server, which leaves no process.
func TestKindsShutdown(t *testing.T) {
	t.Parallel()
	var routes strings.Builder
	forKinds("", func(k kindCell) { routes.WriteString(k.route("run", "", stubbornPair)) })
	s := startKinds(t, routes.String())
	clients, pids := attachAll(t, s, "run")
	s.Signal(syscall.SIGTERM)
	inParallel(t, func(cell func(name string, f func(t *testing.T))) {
		for k, c := range clients {
			cell(k.path("end"), func(t *testing.T) {
				want := "1001 server shutting down"
				if k.client == "http" {
					want = "200 cut"
				}
				if lines, end := c.rest(); lines != nil || end != want {
					t.Errorf("got %q, %q, want %q", lines, end, want)
				}
			})
		}
	})
	if status := s.Wait(); status != 0 {
		t.Errorf("status %d, want 0:\n%s", status, s.Stderr())
	}
	for _, pid := range pids {
		if !gone(pid) {
			t.Errorf("process %d outlives the server", pid)
		}
	}
}

// TestKindsRefuse: what is refused starts nothing.
func TestKindsRefuse(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		flag, header, path string
		status             int
		body               string
	}{
		"origin":      {"", "Origin: https://evil.example", "run", 403, "--origin=https://evil.example"},
		"path":        {"", "", "other", 404, "at this path"},
		"children":    {"--maxforks=1", "", "run", 429, "--maxforks"},
		"per address": {"--max-per-ip=1", "", "run", 429, "--max-per-ip"},
		// EventSource connects again after any end, and 204 stops it.
		"EventSource": {"", "Last-Event-ID: 3", "run", 204, ""},
		"password":    {"--basic-auth=user:secret", "Authorization: Basic eDp5", "run", 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started := filepath.Join(t.TempDir(), "started")
			routes := "/first -- sh -c 'echo ready; exec cat'\n"
			forKinds("", func(k kindCell) { routes += k.route("run", "", "echo >>"+started) })
			s := startKinds(t, routes, append([]string{"--loglevel=access"}, strings.Fields(test.flag)...)...)
			if test.status == http.StatusTooManyRequests {
				dial(t, s.WS+"first").Expect("ready")
			}
			refused := 0
			forKinds("", func(k kindCell) {
				if test.status == http.StatusNoContent && (k.client != "events" || k.child == "resume") {
					return
				}
				refused++
				var header []string
				if test.header != "" {
					header = append(header, test.header)
				}
				c := newKindClient(t, s, k.client, k.child, k.path(test.path))
				status := c.connect(false, header...)
				if status != test.status || !strings.Contains(c.refusal, test.body) {
					t.Errorf("%s: got %d %q, want %d %q", k.path(""), status, c.refusal, test.status, test.body)
				}
			})
			s.AwaitStderrFunc("all refusals", func(log string) bool { return strings.Count(log, " refused=") == refused })
			if wspipetest.Exists(t, started) {
				t.Error("a child was started")
			}
		})
	}
}

// TestKindsTooLong: a message over --maxframesize ends a WebSocket; as a request it is refused. A
// streamed body has no limit.
func TestKindsTooLong(t *testing.T) {
	t.Parallel()
	const not = "pty, where a client types"
	var routes strings.Builder
	forKinds(not, func(k kindCell) {
		routes.WriteString(k.route("run", "--maxframesize=1000", `echo ready; while read -r l; do echo ${#l}; done`))
	})
	s := startKinds(t, routes.String())
	forKinds(not, func(k kindCell) {
		t.Run(k.path("run")[1:], func(t *testing.T) {
			t.Parallel()
			c := newKindClient(t, s, k.client, k.child, k.path("run"))
			c.connect(true)
			c.next()
			tooLong := strings.Repeat("x", 1001)
			switch {
			case c.conn != nil:
				c.send(tooLong)
				if lines, end := c.rest(); lines != nil || end != "1009 message over 1000 bytes" {
					t.Errorf("got %q, %q", lines, end)
				}
				return
			case c.posts:
				if status := c.post(tooLong); status != http.StatusRequestEntityTooLarge {
					t.Errorf("status %d", status)
				}
				line, want := tooLong[1:]+"\n", http.StatusAccepted // its terminator does not count
				if k.child == "mux" {
					want = http.StatusRequestEntityTooLarge // the body is the message
				}
				if status := c.post(line); status != want {
					t.Errorf("with a newline: status %d, want %d", status, want)
				} else if want == http.StatusAccepted && c.next() != "1000" {
					t.Error("the message is not whole")
				}
			default:
				c.send(tooLong)
				if got := c.next(); got != "1001" {
					t.Errorf("got %q", got)
				}
			}
			c.send("next")
			if got := c.next(); got != "4" {
				t.Errorf("then got %q", got)
			}
		})
	})
}

// TestKindsEvents: an event stream begins before its child says anything.
func TestKindsEvents(t *testing.T) {
	t.Parallel()
	var routes strings.Builder
	forKinds("pty", func(k kindCell) { routes.WriteString(k.route("silent", "", "exec sleep 1000")) })
	s := startKinds(t, routes.String())
	forKinds("pty", func(k kindCell) {
		if k.client != "events" {
			return
		}
		wspipetest.Soon(t, 2*time.Second, func() time.Duration {
			since := time.Now()
			if status := newKindClient(t, s, k.client, k.child, k.path("silent")).connect(false); status != http.StatusOK {
				t.Errorf("%s: status %d", k.child, status)
			}
			return time.Since(since)
		})
	})
}

// TestKindsPost: a POST is answered once the child has it, and one that the child does not take
// fails.
func TestKindsPost(t *testing.T) {
	t.Parallel()
	const not = "plain pty line-buffered mux"
	var routes strings.Builder
	forKinds(not, func(k kindCell) {
		routes.WriteString(k.route("post", "", "echo ready; head -c 1 >/dev/null; exit 5"))
	})
	s := startKinds(t, routes.String())
	forKinds(not, func(k kindCell) {
		c := newKindClient(t, s, k.client, k.child, k.path("post"))
		if k.child == "resume" && !c.posts {
			return
		}
		t.Run(k.path("post")[1:], func(t *testing.T) {
			t.Parallel()
			c.connect(false)
			c.next()
			// More than a pipe holds.
			if got := c.post(strings.Repeat("x", 200_000)); got != http.StatusServiceUnavailable {
				t.Errorf("status %d, want 503", got)
			}
		})
	})
}

// slowRow is what happens to a client that does not read for a while.
type slowRow struct {
	name, flags, not string
}

const (
	slowLine  = 10_000 // bytes
	slowLines = 800    // more than all buffers of kernels and the queue
)

// TestKindsSlow: the child waits for a client that does not read; one that many share goes on,
// unless --slow=block.
func TestKindsSlow(t *testing.T) {
	t.Parallel()
	rows := []slowRow{
		{"block", "", "broadcast mux pty line-buffered"},
		{"block shared", "--slow=block", "plain pty line-buffered resume"},
		{"disconnect", "--slow=disconnect", "plain pty line-buffered resume"},
		{"drop", "--slow=drop", "plain pty line-buffered resume"},
	}
	script := fmt.Sprintf(`echo ready; yes "$(head -c %d /dev/zero | tr "\\0" x)" | head -n %d; echo end; echo "done $0" >&2`, slowLine, slowLines)
	var routes strings.Builder
	for _, row := range rows {
		forKinds(row.not, func(k kindCell) {
			routes.WriteString(k.route(row.name, row.flags, strings.Replace(script, "$0", k.path(row.name), 1)))
		})
	}
	o := newOperator(t)
	s := startKinds(t, routes.String(), "--admin="+o.socket)
	for _, row := range rows {
		forKinds(row.not, func(k kindCell) {
			t.Run(k.path(row.name)[1:], func(t *testing.T) {
				t.Parallel()
				c := newKindClient(t, s, k.client, k.child, k.path(row.name))
				c.readBuffer = 64 << 10
				c.connect(false)
				if got := c.next(); got != "ready" {
					t.Fatalf("got %q", got)
				}
				row.test(t, s, o, k, c)
			})
		})
	}
}

func (row slowRow) test(t *testing.T, s *wspipetest.Server, o *operator, k kindCell, c *kindClient) {
	done := "line=\"done " + k.path(row.name) + "\"\n"
	switch row.name {
	case "disconnect": // which may stop the child
		records := &kindRecords{want: make(map[string]string)}
		records.add(c, `code=1013 reason="too slow: `)
		records.await(s)
		if k.client == "http" {
			if _, end := c.rest(); !strings.HasSuffix(end, " cut") {
				t.Errorf("the response ends with %q", end)
			}
		}
		return
	case "drop":
		s.AwaitStderr(done)
	default:
		waiting := func() (bytes int) {
			for _, l := range o.sessions() {
				if l.Endpoint == k.path(row.name) {
					bytes = l.Waiting
				}
			}
			return bytes
		}
		wspipetest.Eventually(t, "output is queued, and no more of it", func() bool {
			before := waiting()
			<-time.After(300 * time.Millisecond)
			return before > 0 && before == waiting()
		})
		if strings.Contains(s.Stderr(), done) {
			t.Error("the child did not wait")
		}
	}
	lines, end := c.rest()
	n := len(lines)
	if n < 2 || lines[n-1] != "end" || lines[0] != strings.Repeat("x", slowLine) || !strings.HasSuffix(end, "exit 0") {
		t.Errorf("got %d lines, %q", n, end)
	}
	if row.name != "drop" {
		if n != slowLines+1 {
			t.Errorf("got %d lines, want %d", n, slowLines+1)
		}
		return
	}
	if c.opt.Subprotocols == nil { // with channels, a line is several messages
		records := &kindRecords{want: make(map[string]string)}
		records.add(c, fmt.Sprintf("messages_out=%d bytes_out=%d", n+1, len("ready")+(n-1)*slowLine+len("end")))
		records.await(s)
		s.AwaitStderrFunc("the number of dropped messages", func(log string) bool {
			return regexp.MustCompile(`remote=` + regexp.QuoteMeta(c.local.String()) + ` .*count=` + strconv.Itoa(slowLines+1-n) + "\n").MatchString(log)
		})
	}
}
