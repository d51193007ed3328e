//go:build unix

package bridge

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"

	"github.com/coder/websocket"
)

// patient lets a child read everything that the client sent before it disconnected.
var patient = Options{InputTimeout: -1}

func TestMessagesBecomeInput(t *testing.T) {
	t.Parallel()
	sent := [][]byte{
		maskedFrame(fin|opText, []byte("text é")),
		maskedFrame(fin|opText, nil),
		maskedFrame(fin|opBinary, []byte("binary \xff")),
		maskedFrame(fin|opPing, []byte("ping")),
		maskedFrame(fin|opText, []byte("two\nlines\r")),
	}
	for mode, want := range map[framing.Framing]string{
		framing.Lines: "text é\n\nbinary \xff\ntwo\nlines\r\n",
		framing.Bytes: "text ébinary \xfftwo\nlines\r",
	} {
		for name, l := range map[string]link{"TCP": {}, "unix": {network: "unix"}, "TLS": {tls: true}, "early": {early: bytes.Join(sent, nil)}} {
			t.Run(fmt.Sprint(mode, "/", name), func(t *testing.T) {
				t.Parallel()
				child := newPuppet(t).readAll()
				s := startOver(t, l, child, Options{Framing: mode, InputTimeout: -1})
				if l.early == nil {
					s.write(sent...)
				}
				if f, err := s.frame(); err != nil || f.first != fin|opPong || string(f.payload) != "ping" {
					t.Errorf("want a pong: %v, %v", f, err)
				}
				s.write(closeFrame(1000, "bye"))
				if got := string(wspipetest.Wait(t, "input", child.input)); got != want {
					t.Errorf("input %q, want %q", got, want)
				}
				sum := s.summary()
				if sum.In.Messages != 4 || sum.In.Bytes != int64(len("text ébinary \xfftwo\nlines\r")) || sum.Out.Messages != 0 {
					t.Errorf("counted %+v", sum)
				}
				if sum.Code != 1000 || sum.Reason != "bye" {
					t.Errorf("end %d %q", sum.Code, sum.Reason)
				}
			})
		}
	}
}

// A message may be fragmented anywhere, even within a character, with control frames between
// the fragments.
func TestMessagesInFrames(t *testing.T) {
	t.Parallel()
	const text = "aé€😀z"
	child := newPuppet(t).readAll()
	s := start(t, child, patient)
	want := ""
	for i := range len(text) + 1 {
		s.write(maskedFrame(opText, []byte(text[:i])), maskedFrame(fin|opPing, nil), maskedFrame(fin|wire.OpContinuation, []byte(text[i:])))
		want += text + "\n"
	}
	s.write(maskedFrame(opText, nil))
	for i := range len(text) {
		s.write(maskedFrame(wire.OpContinuation, []byte{text[i]}))
	}
	s.write(maskedFrame(fin|wire.OpContinuation, nil), closeFrame(1000, ""))
	if got := string(wspipetest.Wait(t, "input", child.input)); got != want+text+"\n" {
		t.Errorf("input %q", got)
	}
}

// A long message is written in parts, wherever these end.
func TestLongMessages(t *testing.T) {
	t.Parallel()
	child := newPuppet(t).readAll()
	s := start(t, child, patient)
	want := ""
	for _, text := range []string{"€", "a€", "😀", "aa😀"} {
		long := strings.Repeat(text, 100_000)
		s.send(long)
		s.write(maskedFrame(opText, []byte(long[:wire.BlockSize-5])), maskedFrame(fin|wire.OpContinuation, []byte(long[wire.BlockSize-5:])))
		s.write(maskedFrame(fin|opBinary, []byte("\xff"+long)))
		want += long + "\n" + long + "\n\xff" + long + "\n"
	}
	s.write(closeFrame(1000, ""))
	if got := string(wspipetest.Wait(t, "input", child.input)); got != want {
		t.Errorf("input of %d bytes, want %d", len(got), len(want))
	}
}

// The child gets nothing of an invalid message, or a prefix without the terminator if the
// message is long.
func TestInvalidMessages(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", wire.BlockSize)
	const limit = 3 * wire.BlockSize
	notUTF8 := End{Code: 1007, Reason: "text is not UTF-8"}
	tooBig := End{Code: 1009, Reason: fmt.Sprintf("message over %d bytes", limit)}
	for name, test := range map[string]struct {
		frames []string
		want   End
	}{
		"bad at the start":                {[]string{"\xffabc"}, notUTF8},
		"bad at the end":                  {[]string{"abc\xff"}, notUTF8},
		"incomplete at the end":           {[]string{"abc\xe2\x82"}, notUTF8},
		"surrogate":                       {[]string{"\xed\xa0\x80"}, notUTF8},
		"bad in a later frame":            {[]string{"good", "", "\xff"}, notUTF8},
		"bad character over frames":       {[]string{"\xe2\x82", "x"}, notUTF8},
		"bad, and more to come":           {[]string{"\xff", "", "", ""}, notUTF8},
		"long and bad at the end":         {[]string{long + "\xff"}, notUTF8},
		"long and incomplete":             {[]string{long + "\xf0\x9f\x98"}, notUTF8},
		"long and bad in a later frame":   {[]string{long, "\xc0"}, notUTF8},
		"too big by one byte":             {[]string{strings.Repeat("x", limit+1)}, tooBig},
		"too big by one byte over frames": {[]string{strings.Repeat("x", limit), "x"}, tooBig},
		"much too big":                    {[]string{strings.Repeat("x", 5*limit)}, tooBig},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t).readAll()
			s := start(t, child, Options{MaxMessage: limit, InputTimeout: -1})
			s.send("before")
			for i, f := range test.frames {
				first := byte(wire.OpContinuation)
				if i == 0 {
					first = opText
				}
				if i == len(test.frames)-1 {
					first |= fin
				}
				s.write(maskedFrame(first, []byte(f)))
			}
			s.expectClose(int(test.want.Code), test.want.Reason)
			got, after := strings.CutPrefix(string(wspipetest.Wait(t, "input", child.input)), "before\n")
			whole := strings.Join(test.frames, "")
			if !after || !strings.HasPrefix(whole, got) || strings.Contains(got, "\n") || len(whole) < framing.MaxWhole && got != "" {
				t.Errorf("of %.20q (%d bytes) the child got %.20q (%d bytes), after the valid one: %t", whole, len(whole), got, len(got), after)
			}
			if sum := s.summary(); sum.Code != test.want.Code || sum.Reason != test.want.Reason || sum.In.Messages != 1 {
				t.Errorf("summary %+v", sum)
			}
		})
	}
}

func TestMessagesUpToTheLimit(t *testing.T) {
	t.Parallel()
	const limit = 1000
	child := newPuppet(t).readAll()
	s := start(t, child, Options{MaxMessage: limit, InputTimeout: -1})
	full := strings.Repeat("x", limit)
	s.send(full)
	s.write(maskedFrame(opText, []byte(full[1:])), maskedFrame(wire.OpContinuation, []byte("x")), maskedFrame(fin|wire.OpContinuation, nil))
	s.write(closeFrame(1000, ""))
	if got := string(wspipetest.Wait(t, "input", child.input)); got != full+"\n"+full+"\n" {
		t.Errorf("input %.20q (%d bytes)", got, len(got))
	}
}

// The limit applies to the decompressed message.
func TestLimitOfCompressedMessages(t *testing.T) {
	t.Parallel()
	url, _, conns := serve(t, link{compress: true})
	c, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	a := wspipetest.Wait(t, "opening handshake", conns)
	child := newPuppet(t).readAll()
	ended := make(chan Summary, 1)
	go func() { // ends when the client has disconnected
		ended <- newSession(a.ws, a.wire, child, Options{MaxMessage: 100_000, InputTimeout: -1}).Run()
	}()
	good := strings.Repeat("good ", 20_000)
	if err := errors.Join(c.Write(t.Context(), websocket.MessageText, []byte(good)),
		c.Write(t.Context(), websocket.MessageText, make([]byte, 10<<20))); err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Read(t.Context())
	if websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("want close code 1009: %v", err)
	}
	if got := string(wspipetest.Wait(t, "input", child.input)); got != good+"\n" {
		t.Errorf("input %.20q (%d bytes)", got, len(got))
	}
	wspipetest.Wait(t, "the end of Run", ended)
}

func TestManyMessagesAtOnce(t *testing.T) {
	t.Parallel()
	child := newPuppet(t).readAll()
	s := start(t, child, patient)
	var sent, want []byte
	for i := range 50_000 {
		line := fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", i%70))
		if i%5000 == 0 {
			line = append(line, strings.Repeat("long", i)...)
		}
		sent = append(sent, maskedFrame(fin|opText, line)...)
		want = append(append(want, line...), '\n')
	}
	s.write(sent, closeFrame(1000, ""))
	if got := wspipetest.Wait(t, "input", child.input); !bytes.Equal(got, want) {
		t.Errorf("input of %d bytes, want %d", len(got), len(want))
	}
}

// A message does not wait for the rest of the next one.
func TestMessageIsNotDelayed(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]link{"TCP": {}, "unix": {network: "unix"}, "TLS": {tls: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t)
			s := startOver(t, l, child, Options{})
			one, two := maskedFrame(fin|opText, []byte("one")), maskedFrame(fin|opText, bytes.Repeat([]byte("2"), 200))
			for cut := range two {
				s.write(one, two[:cut])
				if got := child.read(t, 4); got != "one\n" {
					t.Fatalf("child read %q", got)
				}
				s.write(two[cut:])
				if got := child.read(t, 201); got != strings.Repeat("2", 200)+"\n" {
					t.Fatalf("child read %q", got)
				}
			}
			// Nor for the rest of a longer message, or of a fragmented one.
			s.write(one, maskedFrame(opText, []byte("begun")))
			if got := child.read(t, 4); got != "one\n" {
				t.Fatalf("child read %q", got)
			}
		})
	}
}

// A child that does not read blocks the client once about 1 MiB is queued and the kernel's
// buffers are full. Nothing is lost.
func TestChildThatDoesNotRead(t *testing.T) {
	t.Parallel()
	const total = 8_000_000
	small := maskedFrame(fin|opText, bytes.Repeat([]byte("x"), 999))
	for name, sent := range map[string][]byte{
		"many messages": bytes.Repeat(small, total/1000),
		"one message":   maskedFrame(fin|opText, bytes.Repeat([]byte("x"), total)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t)
			child.reader = true
			s := startOver(t, link{buffers: 256 << 10}, child, patient)
			n := heldUpAfter(t, s, sent)
			if n > maxInputBacklog+(2<<20) {
				t.Errorf("blocked only after %d bytes", n)
			}
			if n := s.stdin.Waiting(); n < maxInputBacklog || n > maxInputBacklog+2*wire.BlockSize {
				t.Errorf("%d bytes queued", n)
			}
			child.readAll()
			s.write(sent[n:], closeFrame(1000, ""))
			got := wspipetest.Wait(t, "input", child.input)
			if len(got) < total || len(got) > total+1 || len(bytes.ReplaceAll(got, []byte("x"), nil)) > total/1000 {
				t.Errorf("input of %d bytes, want %d", len(got), total)
			}
		})
	}
}

// heldUpAfter sends until the server accepts no more, and returns how much it accepted.
func heldUpAfter(t *testing.T, s *session, sent []byte) (n int) {
	t.Helper()
	for n < len(sent) {
		s.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		m, err := s.client.Write(sent[n:min(len(sent), n+64<<10)])
		n += m
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		if m == 0 && s.stdin.Waiting() >= maxInputBacklog {
			s.SetWriteDeadline(time.Now().Add(wspipetest.Patience))
			return n
		}
	}
	t.Fatal("never blocked")
	return n
}

// A child that closes its stdin is no error, and its input is dropped.
func TestChildThatClosesItsStdin(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	s := start(t, child, Options{})
	s.send("read")
	child.read(t, len("read\n"))
	child.far[0].Close()
	for range 5000 {
		s.write(maskedFrame(fin|opText, make([]byte, 1000)))
	}
	s.write(maskedFrame(fin|opPing, nil))
	if f, err := s.frame(); err != nil || f.first != fin|opPong {
		t.Fatalf("want a pong: %v, %v", f, err)
	}
	child.print(t, "still here\n")
	s.expect("still here")
	child.exit(0, "")
	s.expectClose(1000, "exit 0")
}

// A client disconnects within a message: the child has got the messages before, and nothing
// of this one.
func TestClientDisconnectsWithinAMessage(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*client){
		"closed": func(c *client) { c.Close() },
		"reset":  (*client).reset,
		"close frame": func(c *client) {
			c.write(maskedFrame(opText, []byte("half")), closeFrame(1001, "reload"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t).readAll()
			s := start(t, child, patient)
			s.send("before")
			if name != "close frame" {
				s.write(maskedFrame(fin|opText, []byte("the rest never comes"))[:20], nil)
			}
			if name == "reset" { // it would overtake unread data
				wspipetest.Eventually(t, "all is read", func() bool { return wire.Unsent(s.Conn) == 0 && s.input.total.total().Messages == 1 })
			}
			leave(s.client)
			if got := string(wspipetest.Wait(t, "input", child.input)); got != "before\n" {
				t.Errorf("input %q", got)
			}
			want := End{Code: 1006, Reason: "connection lost"}
			if name == "close frame" {
				want = End{Code: 1001, Reason: "reload"}
			}
			if sum := s.summary(); sum.Code != want.Code || sum.Reason != want.Reason {
				t.Errorf("summary %+v", sum)
			}
		})
	}
}

// What a client sent before its close frame still reaches a slow child.
func TestInputOfADisconnectedClient(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	child.reader = true
	s := start(t, child, patient)
	sent := bytes.Repeat(maskedFrame(fin|opText, bytes.Repeat([]byte("x"), 999)), 900)
	s.write(sent, closeFrame(1000, ""))
	for { // until the connection is closed
		if _, err := s.frame(); err != nil {
			break
		}
	}
	child.readAll()
	if got := wspipetest.Wait(t, "input", child.input); len(got) != 900*1000 {
		t.Errorf("input of %d bytes", len(got))
	}
}

// After the timeout, a child gets no more input.
func TestInputTimeout(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	child.reader = true // keeps running after Stop
	s := start(t, child, Options{InputTimeout: 10 * time.Millisecond})
	s.write(bytes.Repeat(maskedFrame(fin|opText, make([]byte, 999)), 900), closeFrame(1000, ""))
	wspipetest.Wait(t, "Stop", child.stopped)
	s.stdin.Wait(0)
	if _, err := s.stdin.Write([]byte("x")); err != net.ErrClosed {
		t.Errorf("stdin is open: %v", err)
	}
	child.exit(0, "")
	s.summary()
}

// A descendant that has left the process group may hold stdin open and not read.
func TestUnreadStdinAfterTheExit(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	s := start(t, child, patient)
	s.write(bytes.Repeat(maskedFrame(fin|opText, make([]byte, 999)), 500))
	wspipetest.Eventually(t, "input waits", func() bool { return s.stdin.Waiting() > 0 })
	held, err := os.Open(fmt.Sprintf("/dev/fd/%d", child.far[0].Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	s.write(closeFrame(1000, ""))
	s.summary()
}
