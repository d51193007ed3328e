//go:build unix

package wspipetest_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// chatter is a client of the example of a chat room in one process.
type chatter struct {
	*websocket.Conn
	tcp  *net.TCPConn
	ctx  context.Context
	name string

	mu      sync.Mutex
	private []string // messages, in order
	joined  bool     // the program knows it
	left    []string // names
	heard   string   // the last message for all
	lost    error    // why it hears nothing more
}

// joinChat joins under a name and listens until the connection ends.
func joinChat(ctx context.Context, t *testing.T, server *wspipetest.Server, name string, listening *sync.WaitGroup) *chatter {
	t.Helper()
	c := &chatter{ctx: ctx, name: name}
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		c.tcp, _ = conn.(*net.TCPConn)
		return conn, err
	}
	opt := &websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{DialContext: dial}}}
	var err error
	if c.Conn, _, err = websocket.Dial(ctx, server.WS+"?name="+url.QueryEscape(name), opt); err != nil {
		t.Error(err)
		return c
	}
	c.SetReadLimit(-1)
	listening.Go(c.listen) // ends with the connection
	return c
}

func (c *chatter) listen() {
	for {
		_, p, err := c.Read(c.ctx)
		text := string(p)
		c.mu.Lock()
		name, isNote := strings.CutPrefix(text, "* ")
		name, isEnd := strings.CutSuffix(name, " left")
		switch {
		case err != nil:
			c.lost = err
		case isNote && isEnd:
			c.left = append(c.left, name)
		case isNote:
			c.joined = c.joined || text == "* "+c.name+" joined"
		case strings.Contains(text, " to "):
			c.private = append(c.private, text)
		default:
			c.heard = text
		}
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// has reports whether condition, which may look at what c has heard, holds.
func (c *chatter) has(condition func() bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return condition()
}

func (c *chatter) say(text string) error {
	return c.Write(c.ctx, websocket.MessageText, []byte(text))
}

// goAway ends the connection, in one of several ways, none of which waits.
func (c *chatter) goAway(way int) {
	beginning := []byte{0x01, 0x80 | 100, 0, 0, 0, 0, 'x'} // of a message of more frames and more bytes
	switch way % 5 {
	case 0:
		c.tcp.SetLinger(0) // a reset
	case 1: // FIN
	case 2:
		c.tcp.Write([]byte{0x88, 0x80 | 2, 0, 0, 0, 0, 0x03, 0xe8}) // a close frame with 1000, and no wait for the answer
	case 3:
		c.tcp.Write(beginning)
	case 4:
		c.say("last words")
		c.tcp.Write(beginning)
		c.tcp.SetLinger(0)
	}
	c.tcp.Close()
	c.CloseNow()
}

// TestChatWithManyClients: a program of a dozen lines serves 200 clients. What is
// for one reaches only that one, and of each that goes, however abruptly, it is
// told once.
func TestChatWithManyClients(t *testing.T) {
	const clients = 200
	wspipetest.Need(t, "python3")
	script, err := filepath.Abs("../../examples/python/muxchat.py")
	if err != nil {
		t.Fatal(err)
	}
	server := wspipetest.Start(t, "--share=mux", "--loglevel=info", script)
	ctx, cancel := context.WithTimeout(t.Context(), 4*wspipetest.Patience)
	defer cancel()
	var joining, listening sync.WaitGroup
	name := func(i int) string { return fmt.Sprintf("c%03d", i%clients) }
	all := make([]*chatter, clients)
	for first := range 10 {
		joining.Go(func() {
			for i := first; i < clients; i += 10 {
				all[i] = joinChat(ctx, t, server, name(i), &listening)
			}
		})
	}
	joining.Wait()
	if t.Failed() {
		return
	}
	for _, c := range all { // or the program may get a message to a client before that is open
		until(t, "each has joined", func() bool { return c.has(func() bool { return c.joined }) })
	}
	for i, c := range all {
		if err := c.say(fmt.Sprintf("@%s secret %d", name(i+1), i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range all {
		until(t, "each has got two", func() bool { return c.has(func() bool { return len(c.private) >= 2 }) })
	}
	all[0].say("end")
	for i, c := range all {
		until(t, "all have heard it", func() bool { return c.has(func() bool { return c.heard == "c000: end" }) })
		before := (i + clients - 1) % clients
		want := []string{fmt.Sprintf("%s to %s: secret %d", name(i), name(i+1), i), fmt.Sprintf("%s to %s: secret %d", name(before), name(i), before)}
		slices.Sort(want)
		if c.has(func() bool { slices.Sort(c.private); return !slices.Equal(c.private, want) }) {
			t.Fatalf("%s got %q", c.name, c.private)
		}
	}
	for i, c := range all[1:] {
		joining.Go(func() { c.goAway(i) })
	}
	joining.Wait()
	c := all[0]
	until(t, "the program knows that all have gone", func() bool { return c.has(func() bool { return len(c.left) >= clients-1 }) })
	newcomer := wspipetest.Dial(t, server.WS+"?name=new", nil)
	newcomer.Expect("* here: c000, new", "* new joined")
	slices.Sort(c.left)
	for i, left := range c.left {
		if left != name(i+1) {
			t.Fatalf("%d have left, among them %s instead of %s", len(c.left), left, name(i+1))
		}
	}
	if c.lost != nil {
		t.Errorf("who stayed was lost: %v", c.lost)
	}
	c.CloseNow()
	listening.Wait()
	if log := server.Stderr(); strings.Contains(log, "stderr") || strings.Contains(log, "dropped") {
		t.Errorf("the program complains, or is complained about:\n%s", log)
	}
}
