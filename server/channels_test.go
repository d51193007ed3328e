//go:build unix

package server_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/cmd/wspipetest"
	"wspipe/server"
)

// Section 6 of the contract: channels, with real children.

// channels is a client of one of channel.Protocols.
type channels struct {
	*wspipetest.Client
	t *testing.T
}

func dialChannels(t *testing.T, url, protocol string) channels {
	t.Helper()
	return dialChannelsWith(t, url, protocol, &websocket.DialOptions{})
}

func dialChannelsWith(t *testing.T, url, protocol string, opt *websocket.DialOptions) channels {
	t.Helper()
	opt.Subprotocols, opt.CompressionMode = []string{protocol}, websocket.CompressionNoContextTakeover
	c := wspipetest.Dial(t, url, opt)
	if c.Subprotocol() != protocol {
		t.Fatalf("negotiated %q, want %q", c.Subprotocol(), protocol)
	}
	return channels{c, t}
}

func (c channels) say(channel byte, payload string) {
	c.t.Helper()
	if err := c.Write(c.Ctx, websocket.MessageBinary, append([]byte{channel}, payload...)); err != nil {
		c.t.Fatal(err)
	}
}

// expect reads one message.
func (c channels) expect(channel byte, payload string) {
	c.t.Helper()
	typ, p, err := c.Read(c.Ctx)
	if err != nil || typ != websocket.MessageBinary || !bytes.Equal(p, append([]byte{channel}, payload...)) {
		c.t.Fatalf("got %v %.200q %v, want %q on %d", typ, p, err, payload, channel)
	}
}

// said has the messages of each channel, up to the close frame.
type said struct {
	on   [6]string
	last []byte // the channels in order, without repetitions
	end  websocket.CloseError
}

func (c channels) rest() (s said) {
	c.t.Helper()
	for {
		_, p, err := c.Read(c.Ctx)
		if err != nil {
			end, ok := errors.AsType[websocket.CloseError](err)
			if !ok {
				c.t.Fatalf("no close frame: %v", err)
			}
			s.end = end
			return s
		}
		if len(p) == 0 || p[0] > 5 || len(p) > 1+64<<10 {
			c.t.Fatalf("message of %d bytes: %.50q", len(p), p)
		}
		s.on[p[0]] += string(p[1:])
		s.last = slices.Compact(append(s.last, p[0]))
	}
}

func status(t *testing.T, text string) (s channel.Status) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return s
}

// Several clients of one endpoint, each with another subprotocol.
func TestChannelsWithPlainClients(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`echo "[$WEBSOCKET_PROTOCOL]"; echo err >&2; while read -r l; do echo "$l"; done; exit 3`), Subprotocols: []string{"mine"}}})
	plain, mine := dial(t, s.ws), wspipetest.Dial(t, s.ws, &websocket.DialOptions{Subprotocols: []string{"unknown", "mine"}})
	clients := make(map[string]channels)
	for _, protocol := range channel.Protocols {
		clients[protocol] = dialChannels(t, s.ws, protocol)
	}
	for name, c := range map[string]*wspipetest.Client{"": plain, "mine": mine} {
		c.Expect("[" + name + "]")
		c.Send("hello")
		c.Expect("hello")
		c.Close(1000, "")
	}
	for protocol, c := range clients {
		c.say(channel.Stdin, "hello\n")
		if protocol == channel.ProtocolV4 {
			if _, p, err := c.Read(c.Ctx); err != nil || string(p) != "\x01" {
				t.Errorf("the greeting is %q, %v", p, err)
			}
			c.Close(1000, "")
			continue
		}
		c.say(channel.Close, "\x00")
		got := c.rest()
		if got.on[1] != "["+protocol+"]\nhello\n" || got.on[2] != "err\n" || got.end != (websocket.CloseError{Code: 1000, Reason: "exit 3"}) {
			t.Errorf("%s: got %+v", protocol, got)
		}
		if st := status(t, got.on[3]); st.Status != "Failure" || st.Reason != "NonZeroExitCode" || st.Details.Causes[0] != (channel.StatusCause{Reason: "ExitCode", Message: "3"}) {
			t.Errorf("%s: status %s", protocol, got.on[3])
		}
		if hello := got.on[5]; (protocol == channel.ProtocolWspipe) != strings.HasSuffix(hello, `}{"type":"exit","code":3}`) {
			t.Errorf("%s: control %s", protocol, hello)
		}
	}
	s.log.Await(t, `"disconnect"`, 5)
	for _, counts := range []string{`"messages_in":1,"bytes_in":6`, `"messages_in":1,"bytes_in":5`} {
		if !strings.Contains(s.log.String(), counts) {
			t.Errorf("the log lacks %s", counts)
		}
	}
}

// Raw bytes both ways, more than a pipe holds, also with compression and TLS.
func TestChannelsCarryBytes(t *testing.T) {
	for name, cfg := range map[string]server.Config{"plain": {}, "compressed": {Endpoint: server.Endpoint{Compress: true}}, "a framing": {Endpoint: server.Endpoint{Framing: framing.LSP}}, "TLS": {}} {
		for _, protocol := range []string{channel.ProtocolWspipe, channel.ProtocolV5} {
			t.Run(name+"/"+protocol, func(t *testing.T) {
				t.Parallel()
				const script = `tee /dev/fd/2`
				cfg := cfg
				cfg.Endpoint.Child, cfg.Endpoint.MaxMessage = sh(script), 1<<20
				var c channels
				if name == "TLS" {
					ca := newCA(t)
					c = dialChannelsWith(t, serveTLS(t, ca, script, cfg).ws, protocol, over(t, ca.client(t)))
				} else {
					c = dialChannels(t, serve(t, cfg).ws, protocol)
				}
				var sent strings.Builder
				for i := range 20_000 {
					fmt.Fprintf(&sent, "%d\x00\xff\r\n", i)
				}
				go func() { // ends when the child has read
					for chunk := range slices.Chunk([]byte(sent.String()), 100_000) {
						c.Write(c.Ctx, websocket.MessageBinary, append([]byte{0}, chunk...))
					}
					c.Write(c.Ctx, websocket.MessageBinary, []byte{255, 0})
				}()
				got := c.rest()
				if got.on[1] != sent.String() || got.on[2] != sent.String() {
					t.Errorf("%d and %d bytes came back of %d", len(got.on[1]), len(got.on[2]), sent.Len())
				}
				if st := status(t, got.on[3]); st.Status != "Success" || got.last[len(got.last)-1] != 3 || got.end.Reason != "exit 0" {
					t.Errorf("status %s, %v, channels %v", got.on[3], got.end, got.last)
				}
			})
		}
	}
}

// EOF on stdin reaches the child after all queued input.
func TestChannelsEOFAfterQueuedInput(t *testing.T) {
	t.Parallel()
	cfg := python(t, `
os.write(1, b"ready")
time.sleep(0.3)
n = len(i.read())
os.write(1, b"%d" % n)`)
	c := dialChannels(t, serve(t, cfg).ws, channel.ProtocolV5)
	c.expect(1, "")
	c.expect(1, "ready")
	for range 11 {
		c.say(channel.Stdin, strings.Repeat("x", 100_000))
	}
	c.say(channel.Close, "\x00")
	c.say(channel.Stdin, "dropped")
	c.expect(1, "1100000")
	if got := c.rest(); got.end.Reason != "exit 0" {
		t.Errorf("%+v", got)
	}
}

// TestChannelsFailures: a Status and the close frame say that the session ends before its child.
func TestChannelsFailures(t *testing.T) {
	t.Parallel()
	for reason, message := range map[string]string{
		"message over 1000 bytes":         string(rune(channel.Stdin)) + strings.Repeat("x", 1000),
		"control message over 4096 bytes": string(rune(channel.Resize)) + strings.Repeat(" ", 4096),
	} {
		cfg := server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`), MaxMessage: 1000}}
		if message[0] == channel.Resize {
			cfg.Endpoint.MaxMessage = 0
		}
		s := serve(t, cfg)
		for _, protocol := range channel.Protocols {
			c := dialChannels(t, s.ws, protocol)
			c.say(message[0], message[1:])
			got := c.rest()
			if got.end != (websocket.CloseError{Code: 1009, Reason: reason}) {
				t.Errorf("%s: closed with %v", protocol, got.end)
			}
			if st := status(t, got.on[3]); st.Status != "Failure" || st.Message != reason || st.Reason != "InternalError" || st.Code != 500 || got.last[len(got.last)-1] != 3 {
				t.Errorf("%s: status %s, channels %v", protocol, got.on[3], got.last)
			}
		}
	}
}
