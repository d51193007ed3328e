//go:build unix

package server_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"wspipe/cmd/wspipetest"

	"wspipe/bridge/framing"

	"github.com/coder/websocket"
)

// cutConn is a connection that breaks after it has received some bytes; never, if their number is
// negative.
type cutConn struct {
	net.Conn
	left int
}

func (c *cutConn) Read(p []byte) (int, error) {
	switch {
	case c.left < 0:
		return c.Conn.Read(p)
	case c.left == 0:
		wspipetest.Reset(c.Conn)
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// wanderer is a client whose connection breaks again and again, at any byte, also in the opening
// handshake. It records what it has read.
type wanderer struct {
	t    *testing.T
	s    *testServer
	tls  *tls.Config
	opt  websocket.DialOptions
	far  int // a connection breaks after at most this many bytes
	cuts int // how often

	counted int      // messages since it last attached without a number
	had     []string // all of them
	lost    []int    // had[:n] for each time that messages after it were lost
}

// run reconnects until the server closes the session, and returns the close frame.
func (w *wanderer) run() websocket.CloseError {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*wspipetest.Patience)
	defer cancel()
	id, after := newID(), rand.IntN(2)-1
	for ; ; after = w.counted {
		left := -1
		if w.cuts > 0 {
			w.cuts--
			left = 1 + rand.IntN(w.far)
		}
		end, ok := w.visit(ctx, id, after, left)
		switch {
		case ctx.Err() != nil:
			w.t.Fatalf("it takes too long, after %d messages", len(w.had))
		case end.Code == 4011:
			w.lost = append(w.lost, len(w.had))
			w.counted = -1 // it accepts any history
		case ok:
			return end
		}
	}
}

// visit makes one connection. It returns the close frame, if there was one.
func (w *wanderer) visit(ctx context.Context, id string, after, left int) (end websocket.CloseError, ok bool) {
	opt := w.opt
	opt.HTTPClient = &http.Client{Transport: &http.Transport{
		TLSClientConfig: w.tls,
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return w.dial(ctx, left) },
	}}
	u, err := url.Parse(w.s.session(id, after))
	if err != nil {
		w.t.Fatal(err)
	}
	if u.Scheme == "unix" {
		u.Scheme, u.Host, u.Path = "ws", "localhost", "/"
	}
	c, resp, err := websocket.Dial(ctx, u.String(), &opt)
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			w.t.Fatalf("the handshake was answered with %s", resp.Status)
		}
		return end, false
	}
	defer c.CloseNow()
	c.SetReadLimit(-1)
	for fresh := after < 0; ; fresh = false {
		_, p, err := c.Read(ctx)
		if err != nil {
			end, ok := errors.AsType[websocket.CloseError](err)
			return end, ok
		}
		if fresh {
			w.counted = 0
		}
		w.counted++
		w.had = append(w.had, string(p))
	}
}

// dial uses a small receive buffer. Its content is lost when the connection breaks, although the server
// knows that it has arrived.
func (w *wanderer) dial(ctx context.Context, left int) (net.Conn, error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 32<<10) })
		return err
	}}
	addr := w.s.Addr()
	conn, err := d.DialContext(ctx, addr.Network(), addr.String())
	return &cutConn{conn, left}, err
}

// TestNothingIsLost: however often and wherever the connection breaks, the client gets all output
// exactly once.
func TestNothingIsLost(t *testing.T) {
	type way struct {
		framing  framing.Framing
		longest  int // record
		over     string
		compress bool
	}
	for name, way := range map[string]way{
		"short lines":             {framing.Lines, 20, "tcp", false},
		"lines":                   {framing.Lines, 3000, "tcp", false},
		"long lines":              {framing.Lines, 200_000, "tcp", false},
		"lines, TLS":              {framing.Lines, 3000, "tls", false},
		"lines, unix":             {framing.Lines, 3000, "unix", false},
		"lines, compressed":       {framing.Lines, 3000, "tcp", true},
		"short lines, compressed": {framing.Lines, 20, "tls", true},
		"long lines, compressed":  {framing.Lines, 200_000, "tcp", true},
		"bytes":                   {framing.Bytes, 3000, "tcp", false},
		"json":                    {framing.JSON, 3000, "tcp", false},
		"json, long":              {framing.JSON, 200_000, "tcp", false},
		"json, compressed":        {framing.JSON, 3000, "tls", true},
		"nul":                     {framing.NUL, 3000, "unix", false},
		"length":                  {framing.Length, 3000, "tcp", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			size, buffer := 3<<20, 1<<20 // of the output and of the history
			if way.longest < 100 {       // the overhead of such a message is large
				buffer *= 3
			}
			// A quarter, less a message, is for what the client's host has and the client has
			// not counted: most of a message, and what its kernel holds.
			buffer = max(buffer, 12*way.longest)
			records := randomRecords(size/(way.longest/2+50), way.longest)
			out := filepath.Join(t.TempDir(), "out")
			wspipetest.WriteFile(t, out, framed(way.framing, records))
			script := `cat "$OUT"; exit 3`
			if way.framing == framing.JSON {
				script = `cat "$OUT" & cat "$OUT" >&2; wait; exit 3`
			}
			cfg := resuming(script)
			cfg.Endpoint.Framing, cfg.Endpoint.Compress, cfg.Endpoint.SetEnv, cfg.Endpoint.ResumeBuffer = way.framing, way.compress, []string{"OUT=" + out}, buffer
			w := &wanderer{t: t, far: size / 6, cuts: 10}
			if way.compress {
				w.opt.CompressionMode = websocket.CompressionNoContextTakeover
			}
			switch way.over {
			case "tls":
				ca := newCA(t)
				w.s, w.tls = serveTLS(t, ca, script, cfg), ca.client(t)
			case "unix":
				cfg.UnixSocket, cfg.Addresses = filepath.Join(shortDir(t), "s"), []string{}
				w.s = serve(t, cfg)
			default:
				w.s = serve(t, cfg)
			}
			if end := w.run(); end.Code != 1000 || end.Reason != "exit 3" || len(w.lost) > 0 {
				t.Fatalf("closed with %v; lost after %v", end, w.lost)
			}
			checkRecords(t, way.framing, w.had, records)
			if n := len(w.s.records(t, "connect")); n != 1 {
				t.Errorf("%d children were started", n)
			}
			if n := len(w.s.records(t, "resume")); n == 0 {
				t.Error("no connection was cut")
			}
		})
	}
}

// randomRecords returns n numbered records of up to longest bytes, which hardly compress.
func randomRecords(n, longest int) (records []string) {
	for i := range n {
		b := make([]byte, rand.IntN(longest*3/4))
		for j := range b {
			b[j] = byte(rand.Uint32())
		}
		records = append(records, strconv.Itoa(i)+" "+base64.StdEncoding.EncodeToString(b))
	}
	return records
}

// framed returns records as a child writes them.
func framed(f framing.Framing, records []string) string {
	var b strings.Builder
	for _, r := range records {
		if f == framing.Length {
			b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(r))))
		}
		b.WriteString(r)
		switch f {
		case framing.NUL:
			b.WriteByte(0)
		case framing.Lines, framing.JSON, framing.Bytes:
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// checkRecords checks that messages are these records, of each stream if there are two.
func checkRecords(t *testing.T, f framing.Framing, messages, records []string) {
	t.Helper()
	want := strings.Join(records, "\n") + "\n"
	switch f {
	case framing.Bytes:
		if got := strings.Join(messages, ""); got != want {
			t.Errorf("got %d bytes, want %d: %s", len(got), len(want), firstDifference(got, want))
		}
	case framing.JSON:
		stdout, stderr := hear(t, messages)
		for name, got := range map[string]string{"stdout": stdout, "stderr": stderr} {
			if got != want {
				t.Errorf("%s: got %d bytes, want %d: %s", name, len(got), len(want), firstDifference(got, want))
			}
		}
	default:
		if got := strings.Join(messages, "\n") + "\n"; got != want {
			t.Errorf("got %d messages, want %d: %s", len(messages), len(records), firstDifference(got, want))
		}
	}
}

func firstDifference(got, want string) string {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	return fmt.Sprintf("at %d: %.60q instead of %.60q", i, got[i:], want[i:])
}

// TestMessagesLongerThanTheBuffer: a message that is partly dropped cannot be repeated. Then the client
// gets 4011. What it has received is always right.
func TestMessagesLongerThanTheBuffer(t *testing.T) {
	t.Parallel()
	for _, longest := range []int{10 << 10, 100 << 10, 1 << 20} {
		t.Run(strconv.Itoa(longest), func(t *testing.T) {
			t.Parallel()
			records := randomRecords((8<<20)/longest, longest)
			out := filepath.Join(t.TempDir(), "out")
			if err := os.WriteFile(out, []byte(framed(framing.Lines, records)), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg := resuming(`cat "$OUT"`)
			cfg.Endpoint.ResumeBuffer, cfg.Endpoint.SetEnv = 64<<10, []string{"OUT=" + out}
			w := &wanderer{t: t, s: serve(t, cfg), far: 1 << 20, cuts: 20}
			if end := w.run(); end.Code != 1000 || end.Reason != "exit 0" {
				t.Errorf("closed with %v", end)
			}
			gaps, next := 0, 0
			for i, m := range w.had {
				number, _, _ := strings.Cut(m, " ")
				n := atoi(t, number)
				if m != records[n] {
					t.Fatalf("message %d is wrong: %s", n, firstDifference(m, records[n]))
				}
				if n != next {
					gaps++
				}
				if n < next || n > next && !slices.Contains(w.lost, i) {
					t.Errorf("message %d is followed by %d, lost after %v of %d", next-1, n, w.lost, i)
				}
				next = n + 1
			}
			if next != len(records) && !slices.Contains(w.lost, len(w.had)) {
				t.Errorf("the last message is %d of %d", next-1, len(records))
			}
			t.Logf("up to %d bytes: %d of %d messages, told %d times that some are lost, %d gaps", longest, len(w.had), len(records), len(w.lost), gaps)
		})
	}
}

// TestSessionsAtRandom: clients attach, disconnect, take over and let the grace period end at random,
// and their children exit at random. At the end no session is left.
func TestSessionsAtRandom(t *testing.T) {
	t.Parallel()
	cfg := resuming(`while read -r l; do echo "$l"; [ "$l" = die ] && exit 7; done`)
	cfg.Endpoint.Resume, cfg.Endpoint.ResumeBuffer, cfg.MaxChildren, cfg.Endpoint.PingInterval = 100*time.Millisecond, 64<<10, 20, 30*time.Second
	s := serve(t, cfg)
	ids := make([]string, 10)
	for i := range ids {
		ids[i] = newID()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*wspipetest.Patience)
	defer cancel()
	var clients sync.WaitGroup
	for range 30 {
		clients.Go(func() { // ends with its visits; unblocked by cancel
			for range 20 {
				if err := dropIn(ctx, s.session(ids[rand.IntN(len(ids))], rand.IntN(5)-2)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	clients.Wait()
	wspipetest.Eventually(t, "nothing is left", s.unused)
	wspipetest.Eventually(t, "nobody holds the server up", func() bool { return s.Usage().Requests == 0 })
}

// dropIn attaches to a session for a short time. It returns an error if the server breaks a rule.
func dropIn(ctx context.Context, url string) error {
	c, resp, err := websocket.Dial(ctx, url, nil)
	if resp != nil && resp.StatusCode == http.StatusTooManyRequests {
		return nil
	}
	if err != nil {
		return err
	}
	defer c.CloseNow()
	for range rand.IntN(4) {
		word := "word"
		if rand.IntN(8) == 0 {
			word = "die"
		}
		if c.Write(ctx, websocket.MessageText, []byte(word)) != nil {
			break
		}
		_, _, err := c.Read(ctx)
		end, ok := errors.AsType[websocket.CloseError](err)
		switch {
		case err == nil:
		case ok && (end.Code == 4010 || end.Code == 4011 || end.Code == 1000 && end.Reason == "exit 7"):
			return nil
		default:
			return err
		}
	}
	switch rand.IntN(3) {
	case 0:
		c.Close(1000, "")
	case 1:
		c.Close(1001, "")
	}
	return nil
}
