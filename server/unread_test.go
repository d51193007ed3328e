//go:build unix

package server_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"wspipe/bridge"
	"wspipe/bridge/channel"
	"wspipe/cmd/wspipetest"
	"wspipe/server"
)

// Clients that leave unread what a child that has ended has written.

// unreadClients connect and take little or nothing. A child that leaves size bytes
// can write all of them, and end: they fit into the pipe, or into the kernel's
// buffers of the connection.
var unreadClients = map[string]unreadClient{
	"pauses": {50_000, 800_000, true, func(t *testing.T, url string) *wspipetest.Raw {
		c, _ := wspipetest.OpenRaw(t, url, map[string][]string{"Sec-Websocket-Protocol": {channel.ProtocolWspipe}})
		c.Frame(fin|2, []byte("\x05"+`{"type":"pause"}`))
		return c
	}},
	"reads nothing":         {900_000, 16 * 900_000, false, dialNotReading},
	"reads nothing, queued": {110_000, 64_000, true, dialNotReading},
}

type unreadClient struct {
	size   int
	buffer int  // --resume-buffer, of which a half may be in flight, and a quarter not sent
	queued bool // the server has some of it when the child ends, and not the kernel
	dial   func(t *testing.T, url string) *wspipetest.Raw
}

func dialNotReading(t *testing.T, url string) *wspipetest.Raw {
	c := wspipetest.DialRaw(t, url)
	c.TCP().SetReadBuffer(4096)
	return c
}

// unreadServers serve one client of each address. Their children write size bytes
// once they have got a word, and end.
func unreadServers(size, buffer int) map[string]server.Config {
	script := fmt.Sprintf(`read -r go; head -c %d /dev/zero | tr '\0' x; echo`, size)
	block := shared(script)
	block.Endpoint.Slow = bridge.SlowBlock
	all := map[string]server.Config{
		"plain": {Endpoint: server.Endpoint{Child: sh(script)}}, "broadcast": shared(script), "broadcast, block": block, "resume": resuming(script),
		"mux": mux(fmt.Sprintf(`read -r open; read -r go; printf '{"to":"*","data":"'; head -c %d /dev/zero | tr '\0' x; echo '"}'`, size)),
	}
	for kind, cfg := range all {
		cfg.MaxPerIP, cfg.Endpoint.ResumeBuffer = 1, buffer
		all[kind] = cfg
	}
	return all
}

// leaveUnread lets each of unreadClients connect to each of unreadServers, and calls
// check once the child has ended.
func leaveUnread(t *testing.T, limit time.Duration, check func(t *testing.T, s *testServer, c *wspipetest.Raw, queued bool)) {
	for what, client := range unreadClients {
		for kind, cfg := range unreadServers(client.size, client.buffer) {
			t.Run(what+"/"+kind, func(t *testing.T) {
				t.Parallel()
				cfg.Timeouts.Unread = limit
				s := serve(t, cfg)
				if client.queued {
					s.LimitSendBuffer()
				}
				c := client.dial(t, s.session(newID(), -1))
				if what == "pauses" {
					c.Frame(fin|2, []byte("\x00go\n"))
				} else {
					c.Frame(fin|opText, []byte("go"))
				}
				s.log.Await(t, `"connect"`, 1)
				awaitGone(t, int(s.records(t, "connect")[0]["pid"].(float64)))
				check(t, s, c, client.queued)
			})
		}
	}
}

// TestUnreadOutputHoldsTheSlot: another client of the same address is refused as
// long as the connection is there, though the child has ended.
func TestUnreadOutputHoldsTheSlot(t *testing.T) {
	leaveUnread(t, time.Hour, func(t *testing.T, s *testServer, c *wspipetest.Raw, queued bool) {
		if resp := handshake(t, s.session(newID(), -1), nil); resp.StatusCode != 429 {
			t.Errorf("another client got %s", resp.Status)
		}
		c.Reset()
		s.log.Await(t, `"disconnect"`, 1)
		wspipetest.Eventually(t, "the slot is free", s.noSlots)
	})
}

// TestUnreadOutputEndsTheConnection, after a while without progress. What the kernel
// still holds is dropped.
func TestUnreadOutputEndsTheConnection(t *testing.T) {
	leaveUnread(t, time.Second, func(t *testing.T, s *testServer, c *wspipetest.Raw, queued bool) {
		s.log.Await(t, `"disconnect"`, 1)
		wspipetest.Eventually(t, "the slot is free", s.noSlots)
		n, err := io.Copy(io.Discard, c.In)
		if n > 800_000 || wspipetest.IsTimeout(err) {
			t.Errorf("it still got %d bytes, %v", n, err)
		}
		if end := s.records(t, "disconnect")[0]; queued && (end["code"] != 1006.0 || end["reason"] != "output not read") {
			t.Errorf("the log has %v", end)
		}
	})
}
