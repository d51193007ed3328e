//go:build unix

package server_test

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"wspipe/bridge/framing"
	"wspipe/cmd/wspipetest"
	"wspipe/server"
)

// Section 3 of the contract: messages, as real children and clients see them.

func TestOutputIsCutIntoMessages(t *testing.T) {
	for _, test := range []struct {
		name, script string
		want         []string
	}{
		{"CR inside", `printf 'a\rb\n'`, []string{"a\rb"}},
		{"bad bytes", `printf 'a\377b\303\n\342\202\n'`, []string{"a\uFFFDb\uFFFD", "\uFFFD"}},
		{"cut character at the end", `printf 'caf\303'`, []string{"caf\uFFFD"}},
		{"NUL", `printf 'a\0b\n'`, []string{"a\x00b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(test.script)}}).ws)
			c.Send("go")
			if got := c.ExpectEnd(1000, "exit 0"); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestCharacterCutByASlowWrite(t *testing.T) {
	t.Parallel()
	c := dial(t, serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`echo ready; printf '\342\202'; read l; printf '\254\n'`)}}).ws)
	c.Expect("ready")
	c.Send("go on")
	c.Expect("€")
	c.ExpectEnd(1000, "exit 0")
}

func TestLoneLineIsSentAtOnce(t *testing.T) {
	t.Parallel()
	// The child writes half a line after each line, and waits. A line must be sent before the next is
	// complete.
	c := dial(t, serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`while read l; do printf "got $l\nhalf "; done`)}}).ws)
	c.Send("1")
	c.Expect("got 1")
	c.Send("2")
	c.Expect("half got 2")
	c.Send("3")
	c.Expect("half got 3")
}

func TestInputArrivesAsLines(t *testing.T) {
	t.Parallel()
	c := dial(t, serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`head -c 16 | od -An -c`)}}).ws)
	c.Send("ab", "", "c\nd")
	if err := c.Write(c.Ctx, websocket.MessageBinary, []byte{'x', 0, 'y'}); err != nil {
		t.Fatal(err)
	}
	c.Send("zzz")
	if got, want := strings.Fields(c.Next()), strings.Fields(`a b \n \n c \n d \n x \0 y \n z z z \n`); !slices.Equal(got, want) {
		t.Errorf("the child read %q, want %q", got, want)
	}
}

func TestBytesFraming(t *testing.T) {
	t.Parallel()
	c := dial(t, serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`), Framing: framing.Bytes}}).ws)
	for _, m := range []string{"no newline", "\xff\x00\n", "with\n"} {
		if err := c.Write(c.Ctx, websocket.MessageBinary, []byte(m)); err != nil {
			t.Fatal(err)
		}
		typ, p, err := c.Read(c.Ctx)
		if err != nil || typ != websocket.MessageBinary || string(p) != m {
			t.Fatalf("got %v %q %v, want binary %q", typ, p, err, m)
		}
	}
}

func TestLargeBytesBothWays(t *testing.T) {
	t.Parallel()
	c := dial(t, serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`), Framing: framing.Bytes, MaxMessage: 8 << 20}}).ws)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	go c.Write(c.Ctx, websocket.MessageBinary, sent)
	var got []byte
	for len(got) < len(sent) {
		_, p, err := c.Read(c.Ctx)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p...)
	}
	if !bytes.Equal(got, sent) {
		t.Error("what came back is not what was sent")
	}
}

func TestClientMessageLimits(t *testing.T) {
	const script = `while read -r l; do echo "line $l" >&2; done; echo "end [$l]" >&2`
	for _, test := range []struct {
		name   string
		typ    websocket.MessageType
		send   string
		code   websocket.StatusCode
		reason string
	}{
		{"too big", websocket.MessageText, strings.Repeat("x", 101), 1009, "message over 100 bytes"},
		{"far too big", websocket.MessageBinary, strings.Repeat("x", 1<<20), 1009, "message over 100 bytes"},
		{"not UTF-8", websocket.MessageText, "abc\xff", 1007, "text is not UTF-8"},
		{"cut character", websocket.MessageText, "abc\xe2\x82", 1007, "text is not UTF-8"},
		{"surrogate", websocket.MessageText, "\xed\xa0\x80", 1007, "text is not UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(script), MaxMessage: 100}})
			c := dial(t, s.ws)
			c.Send("good", strings.Repeat("y", 100))
			if err := c.Write(c.Ctx, test.typ, []byte(test.send)); err != nil {
				t.Fatal(err)
			}
			c.ExpectEnd(test.code, test.reason)
			s.log.Await(t, `"disconnect"`, 1)
			if log := s.log.String(); !strings.Contains(log, `"line good"`) || !strings.Contains(log, `"line yyyy`) || !strings.Contains(log, `"end []"`) {
				t.Errorf("the child did not get just the good messages:\n%s", log)
			}
		})
	}
}

func TestMessagesFromTheClientMayBeLongAndFragmented(t *testing.T) {
	t.Parallel()
	c := dial(t, serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`head -n 1 | wc -c`)}}).ws) // MaxMessage 0
	w, err := c.Writer(c.Ctx, websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.Repeat([]byte("€"), 1_000_000)
	for len(text) > 0 {
		n := min(len(text), 99_998) // not a multiple of three: frames cut characters
		if _, err := w.Write(text[:n]); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c.Expect("3000001")
}

func TestSubprotocols(t *testing.T) {
	for _, test := range []struct {
		name          string
		ours, offered []string
		want          string
		status        int
	}{
		{"ours first", []string{"b", "a"}, []string{"a", "b"}, "b", 101},
		{"one known", []string{"a", "b"}, []string{"x", "b"}, "b", 101},
		{"none offered", []string{"a"}, nil, "", 101},
		{"none configured", nil, []string{"x"}, "", 101},
		{"only unknown ones", []string{"a", "b"}, []string{"x", "y"}, "", 400},
		{"another case", []string{"one"}, []string{"ONE"}, "", 400},
		{"another case first", []string{"one"}, []string{"ONE", "One", "one"}, "one", 101},
		{"two cases configured", []string{"one", "ONE"}, []string{"ONE"}, "ONE", 101},
		{"channels in another case", nil, []string{"V1.WSPIPE"}, "", 101},
		{"channels, in the server's order", nil, []string{"v4.channel.k8s.io", "v5.channel.k8s.io"}, "v5.channel.k8s.io", 101},
		{"its own channels first", nil, []string{"v4.channel.k8s.io", "v1.wspipe"}, "v1.wspipe", 101},
		{"channels before ours", []string{"mine"}, []string{"mine", "v4.channel.k8s.io"}, "v4.channel.k8s.io", 101},
		{"unknown channels", nil, []string{"unknown", "v3.channel.k8s.io"}, "", 101},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`echo "[$WEBSOCKET_PROTOCOL]"`), Subprotocols: test.ours}})
			opt := &websocket.DialOptions{Subprotocols: test.offered}
			if test.status != 101 {
				resp, body := refused(t, s.ws, opt)
				if resp.StatusCode != test.status || !strings.Contains(body, strings.Join(test.ours, ", ")) {
					t.Errorf("got %d %q, want %d and a list of ours", resp.StatusCode, body, test.status)
				}
				return
			}
			c := wspipetest.Dial(t, s.ws, opt)
			if c.Subprotocol() != test.want {
				t.Errorf("negotiated %q, want %q", c.Subprotocol(), test.want)
			}
			if got := c.Next(); !strings.HasSuffix(test.want, "k8s.io") && test.want != "v1.wspipe" && got != "["+test.want+"]" {
				t.Errorf("WEBSOCKET_PROTOCOL is %q", got)
			}
		})
	}
}

func TestCompression(t *testing.T) {
	for _, on := range []bool{false, true} {
		t.Run(strconv.FormatBool(on), func(t *testing.T) {
			t.Parallel()
			s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat`), Compress: on, MaxMessage: 1 << 20}})
			resp := handshake(t, s.ws, http.Header{"Sec-Websocket-Extensions": {"permessage-deflate; client_max_window_bits"}})
			if got := strings.Contains(resp.Header.Get("Sec-Websocket-Extensions"), "permessage-deflate"); got != on {
				t.Errorf("negotiated: %v, want %v", got, on)
			}
			c := wspipetest.Dial(t, s.ws, &websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover})
			for _, m := range []string{"short", strings.Repeat("long ", 10_000), strings.Repeat("ab", 1<<18)} {
				c.Send(m)
				c.Expect(m)
			}
		})
	}
}

func TestCompressedMessagesAreLimited(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Config{Endpoint: server.Endpoint{Child: sh(`exec cat >/dev/null`), Compress: true, MaxMessage: 1 << 20}})
	c := wspipetest.Dial(t, s.ws, &websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover})
	c.Send(strings.Repeat("0", 20<<20)) // 20 KB on the wire
	c.ExpectEnd(1009, "message over 1048576 bytes")
}
