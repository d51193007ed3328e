//go:build unix

package bridge

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// inputKind is a way to send messages to a child.
type inputKind struct {
	link
	framing framing.Framing
	record  func(payload string) string // what the child gets of a message
	whole   bool                        // or nothing of it
}

var inputKinds = map[string]inputKind{
	"lines": {link{}, framing.Lines, func(p string) string { return p + "\n" }, false},
	"json":  {link{}, framing.JSON, func(p string) string { return p + "\n" }, false},
	"bytes": {link{}, framing.Bytes, func(p string) string { return p }, false},
	"nul":   {link{}, framing.NUL, func(p string) string { return p + "\x00" }, false},
	"length": {link{}, framing.Length, func(p string) string {
		return string([]byte{0, byte(len(p) >> 16), byte(len(p) >> 8), byte(len(p))}) + p
	}, true},
	"lsp":      {link{}, framing.LSP, func(p string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(p), p) }, true},
	"channels": {link{protocol: channel.ProtocolV5}, framing.Lines, func(p string) string { return p }, false},
}

// frames returns a message in frames of the given parts.
func (k inputKind) frames(opcode byte, parts ...string) (all []byte) {
	if k.protocol != "" {
		parts[0] = string(channel.Stdin) + parts[0]
	}
	for i, p := range parts {
		if i == len(parts)-1 {
			opcode |= fin
		}
		all = append(all, maskedFrame(opcode, []byte(p))...)
		opcode = wire.OpContinuation
	}
	return all
}

// TestInput: the child gets messages of every size, in one frame or cut anywhere, with pings
// between, singly and many at once.
func TestInput(t *testing.T) {
	t.Parallel()
	const block, room = wire.BlockSize, wire.BlockSize - joinRoom
	sizes := []int{0, 1, 5, 125, 126, 4096, framing.MaxWhole, room - minRead, room - 31, room - 1, room, room + 1, block - 1, block, block + 1, 2*block - joinRoom, 300_000}
	for name, kind := range inputKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t).readAll()
			s := start(t, kind.link, child, Options{Framing: kind.framing, InputTimeout: -1})
			r := rand.New(rand.NewPCG(7, 8))
			var sent []byte
			var want strings.Builder
			add := func(payload string, frames []byte) {
				sent = append(sent, frames...)
				want.WriteString(kind.record(payload))
			}
			for _, size := range sizes {
				text := strings.Repeat("aé€😀", 1+size/10)
				text = strings.ToValidUTF8(text[:size], "")
				cut := r.IntN(len(text) + 1)
				add(text, kind.frames(opText, text))
				add(text+"\xff", kind.frames(opBinary, text+"\xff"))
				add(text, kind.frames(opText, text[:cut], "", text[cut:]))
				add("small\nlines\r", kind.frames(opText, "small\nlines\r"))
				sent = append(sent, maskedFrame(fin|opPing, nil)...)
			}
			for i := range 3000 {
				text := strings.Repeat(fmt.Sprint(i, "é"), r.IntN(20))
				add(text, kind.frames(opText, text))
			}
			for sent = append(sent, closeFrame(1000, "")...); len(sent) > 0; {
				n := min(len(sent), 1+r.IntN(200_000))
				s.write(sent[:n])
				sent = sent[n:]
			}
			if got := string(wspipetest.Wait(t, "input", child.input)); got != want.String() {
				t.Errorf("input of %d bytes, want %d", len(got), want.Len())
			}
			if sum := s.summary(); sum.In.Messages != int64(4*len(sizes)+3000) || sum.Code != 1000 {
				t.Errorf("summary %+v", sum)
			}
		})
	}
}

// TestInvalidInput: the child gets nothing of an invalid or incomplete message, or a prefix without
// the terminator if the message is long.
func TestInvalidInput(t *testing.T) {
	t.Parallel()
	const limit = 3 * wire.BlockSize
	long := strings.Repeat("é", wire.BlockSize)
	tooBig := fmt.Sprintf("message over %d bytes", limit)
	lines := inputKinds["lines"]
	big := strings.Repeat("x", limit-1)
	for name, test := range map[string]struct {
		message []string // frames
		rest    []byte   // raw bytes that follow
		cut     int      // bytes at the end that the client does not send
		code    int      // 1006: the client disconnects
		reason  string
	}{
		"bad at the start":                {[]string{"\xffabc"}, nil, 0, 1007, "text is not UTF-8"},
		"bad at the end":                  {[]string{"abc\xff"}, nil, 0, 1007, "text is not UTF-8"},
		"incomplete at the end":           {[]string{"abc\xe2\x82"}, nil, 0, 1007, "text is not UTF-8"},
		"surrogate":                       {[]string{"\xed\xa0\x80"}, nil, 0, 1007, "text is not UTF-8"},
		"bad in a later frame":            {[]string{"good", "", "\xff"}, nil, 0, 1007, "text is not UTF-8"},
		"bad character over frames":       {[]string{"\xe2\x82", "x"}, nil, 0, 1007, "text is not UTF-8"},
		"bad, and more to come":           {[]string{"\xff", "", "", ""}, nil, 0, 1007, "text is not UTF-8"},
		"long and bad at the end":         {[]string{long + "\xff"}, nil, 0, 1007, "text is not UTF-8"},
		"long and incomplete":             {[]string{long + "\xf0\x9f\x98"}, nil, 0, 1007, "text is not UTF-8"},
		"long and bad in a later frame":   {[]string{long, "\xc0"}, nil, 0, 1007, "text is not UTF-8"},
		"too big by one byte":             {[]string{big + "xx"}, nil, 0, 1009, tooBig},
		"too big by one byte over frames": {[]string{big + "x", "x"}, nil, 0, 1009, tooBig},
		"much too big":                    {[]string{big + big}, nil, 0, 1009, tooBig},
		"invalid frame":                   {[]string{"half", ""}, bytes.Repeat([]byte{0xff}, 14), 6, 1002, ""},
		"invalid frame in a long message": {[]string{big, ""}, bytes.Repeat([]byte{0xff}, 14), 6, 1002, ""},
		"close frame":                     {[]string{"half", ""}, closeFrame(1001, "reload"), 6, 1001, "reload"},
		"close frame in a long message":   {[]string{big, ""}, closeFrame(1000, "bye"), 6, 1000, "bye"},
		"lost in a frame":                 {[]string{"whole"}, nil, 2, 1006, ""},
		"lost after a header":             {[]string{"whole"}, nil, 5, 1006, ""},
		"lost between frames":             {[]string{"half", ""}, nil, 6, 1006, ""},
		"lost in a header":                {[]string{"half", ""}, nil, 5, 1006, ""},
		"lost after a later header":       {[]string{"half", "x"}, nil, 1, 1006, ""},
		"lost in a long message":          {[]string{big}, nil, 100, 1006, ""},
		"lost after a full batch":         {[]string{big}, nil, limit - 1 - (wire.BlockSize - joinRoom), 1006, ""},
	} {
		for kindName, kind := range map[string]inputKind{"lines": lines, "length": inputKinds["length"], "lsp": inputKinds["lsp"]} {
			t.Run(name+"/"+kindName, func(t *testing.T) {
				t.Parallel()
				child := newPuppet(t).readAll()
				s := start(t, link{}, child, Options{Framing: kind.framing, MaxMessage: limit, InputTimeout: -1})
				s.send("before")
				frames := kind.frames(opText, test.message...)
				s.write(frames[:len(frames)-test.cut], test.rest)
				if test.code == 1007 || test.code == 1009 {
					s.expectClose(test.code, test.reason)
				}
				if test.code == 1006 {
					s.client.Close()
				}
				got, after := strings.CutPrefix(string(wspipetest.Wait(t, "input", child.input)), kind.record("before"))
				whole := strings.Join(test.message, "")
				if !after || !strings.HasPrefix(whole, got) || got != "" && (kind.whole || len(whole) < framing.MaxWhole) {
					t.Errorf("of %d bytes the child got %.20q (%d bytes), after the valid message: %t", len(whole), got, len(got), after)
				}
				s.client.Close()
				if sum := s.summary(); int(sum.Code) != test.code || sum.In.Messages != 1 {
					t.Errorf("summary %+v", sum)
				}
			})
		}
	}
}

// TestIncompleteCompressedMessage is no message either, wherever it ends.
func TestIncompleteCompressedMessage(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	w, _ := flate.NewWriter(&packed, flate.BestSpeed)
	text := strings.Repeat("all or nothing ", 100)
	io.WriteString(w, text)
	w.Flush()
	message := maskedFrame(fin|0x40|opText, packed.Bytes()[:packed.Len()-4])
	for n := range len(message) {
		child := newPuppet(t).readAll()
		s := start(t, link{compress: true}, child, Options{InputTimeout: -1})
		s.write(message, message[:n])
		s.client.Close()
		if got := string(wspipetest.Wait(t, "input", child.input)); got != text+"\n" {
			t.Errorf("with %d of %d bytes of a message, the child got %.50q (%d bytes)", n, len(message), got, len(got))
		}
	}
}

// TestInputIsNotDelayed: a message does not wait for the rest of the next one.
func TestInputIsNotDelayed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"lines", "nul", "lsp"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind := inputKinds[name]
			child := newPuppet(t)
			s := start(t, link{}, child, Options{Framing: kind.framing})
			long := strings.Repeat("2", 200)
			expect := func(payload string) {
				t.Helper()
				if got := child.read(t, len(kind.record(payload))); got != kind.record(payload) {
					t.Fatalf("the child read %q", got)
				}
			}
			two := kind.frames(opText, long[:50], long[50:])
			for cut := 0; cut < len(two); cut += 3 {
				s.write(kind.frames(opText, "one"), two[:cut])
				expect("one")
				s.write(two[cut:])
				expect(long)
			}
		})
	}
}

// TestChildThatDoesNotRead blocks its client while about 1 MiB is queued. Nothing is lost.
func TestChildThatDoesNotRead(t *testing.T) {
	t.Parallel()
	const total, longest = 6_000_000, 300_000
	for name, kind := range inputKinds {
		for _, size := range []int{1000, longest} {
			t.Run(fmt.Sprint(name, "/", size), func(t *testing.T) {
				t.Parallel()
				child := newPuppet(t)
				child.reader = true
				s := start(t, link{protocol: kind.protocol, buffers: 256 << 10}, child, Options{Framing: kind.framing, InputTimeout: -1})
				payload := x(size)
				go s.client.Write(append(bytes.Repeat(kind.frames(opText, payload), total/size), closeFrame(1000, "")...)) // ends when it was read
				wspipetest.Eventually(t, "the client has to wait", func() bool { return s.bridge.stdin.Waiting() > maxInputBacklog })
				most := 0
				for range total / size {
					if got := child.read(t, len(kind.record(payload))); got != kind.record(payload) {
						t.Fatalf("the child read %.20q", got)
					}
					most = max(most, s.bridge.stdin.Waiting())
				}
				if limit := maxInputBacklog + longest + 2*wire.BlockSize; most > limit {
					t.Errorf("%d bytes were queued, more than %d", most, limit)
				}
				child.exit(0, "")
			})
		}
	}
}

// TestBatchOfALongMessageIsFreed after it, even while the client has more to send.
func TestBatchOfALongMessageIsFreed(t *testing.T) {
	t.Parallel()
	c, to := connect(t, link{})
	ws, conn := to.(*webSocket).ws, to.conn()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	in := &input{ws: ws, out: wire.NewQueue(w), codec: framing.Length.NewCodec(), holdWhole: true, wait: func() {}}
	ws.SetReadLimit(-1)
	conn.OnIdle = in.flush
	go io.Copy(io.Discard, r)                                                                                                 // ends when w is closed
	go c.Write(append(maskedFrame(fin|opBinary, make([]byte, 1<<20)), bytes.Repeat(maskedFrame(fin|opBinary, nil), 1000)...)) // ends when it is read
	for i := range 1001 {
		if err := in.receive(); err != nil {
			t.Fatal(err)
		}
		if cap(in.batch) > wire.BlockSize {
			t.Fatalf("after message %d the batch has %d bytes", i, cap(in.batch))
		}
	}
	in.out.Close()
	r.Close()
	conn.Abort()
	wspipetest.Wait(t, "the end of the connection", conn.Closed())
}

// TestInputTimeout: a child that does not read gets no more input after the timeout, or once it has
// stopped, though a descendant that has left its process session may hold its stdin open.
func TestInputTimeout(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{10 * time.Millisecond, -1} {
		child := newPuppet(t)
		child.reader = true // keeps running after Stop
		s := start(t, link{}, child, Options{InputTimeout: timeout})
		held, err := os.Open(fmt.Sprintf("/dev/fd/%d", child.far[0].Fd()))
		if err != nil {
			t.Fatal(err)
		}
		s.write(bytes.Repeat(maskedFrame(fin|opText, make([]byte, 999)), 500), closeFrame(1000, ""))
		wspipetest.Wait(t, "Stop", child.stopped)
		if timeout < 0 {
			child.exit(0, "")
		}
		s.bridge.stdin.Wait(0)
		if _, err := s.bridge.stdin.Write([]byte("x")); err != net.ErrClosed {
			t.Errorf("timeout %v: stdin is open: %v", timeout, err)
		}
		child.exit(0, "")
		s.summary()
		held.Close()
	}
}
