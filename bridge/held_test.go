//go:build unix

package bridge

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// heldInput has the framings that hold messages whole, and NUL, with the record that each
// makes of a payload.
var heldInput = map[framing.Framing]func(payload string) string{
	framing.NUL:    func(p string) string { return p + "\x00" },
	framing.Length: func(p string) string { return string(frameLength(len(p))) + p },
	framing.LSP:    func(p string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(p), p) },
}

func frameLength(n int) []byte { return []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }

// The child gets messages of every size, alone and in fragments, as records of its framing.
func TestRecordsToTheChild(t *testing.T) {
	t.Parallel()
	sizes := []int{0, 1, 3, 4, 100, 4096, framing.MaxWhole, wire.BlockSize - joinRoom - minRead, wire.BlockSize - minRead, wire.BlockSize - joinRoom - 31, wire.BlockSize - joinRoom - 30, wire.BlockSize - joinRoom - 4,
		wire.BlockSize - joinRoom - 1, wire.BlockSize - joinRoom, wire.BlockSize - joinRoom + 1, wire.BlockSize - 1, wire.BlockSize, wire.BlockSize + 1, 2*wire.BlockSize - joinRoom, 300_000, 1 << 20}
	for mode, record := range heldInput {
		for name, l := range map[string]link{"TCP": {}, "TLS": {tls: true}} {
			t.Run(fmt.Sprint(mode, "/", name), func(t *testing.T) {
				t.Parallel()
				child := newPuppet(t).readAll()
				s := startOver(t, l, child, Options{Framing: mode, InputTimeout: -1, MaxMessage: 1 << 20})
				var want strings.Builder
				for i, size := range sizes {
					payload := strings.Repeat(string(rune('a'+i)), size)
					s.write(maskedFrame(fin|opText, []byte(payload)))
					s.write(maskedFrame(fin|opBinary, []byte(payload)), maskedFrame(fin|opBinary, []byte("small")))
					cut := size * i / len(sizes)
					s.write(maskedFrame(opText, []byte(payload[:cut])), maskedFrame(fin|opPing, nil), maskedFrame(fin|wire.OpContinuation, []byte(payload[cut:])))
					want.WriteString(record(payload) + record(payload) + record("small") + record(payload))
				}
				s.write(closeFrame(1000, ""))
				got := string(wspipetest.Wait(t, "input", child.input))
				if got != want.String() {
					t.Errorf("input of %d bytes, want %d", len(got), want.Len())
				}
			})
		}
	}
}

// Many messages at once, of random sizes, in frames cut at random places.
func TestManyRecordsToTheChild(t *testing.T) {
	t.Parallel()
	for mode, record := range heldInput {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(mode, "/", seed), func(t *testing.T) {
				t.Parallel()
				child := newPuppet(t).readAll()
				s := start(t, child, Options{Framing: mode, InputTimeout: -1})
				r := rand.New(rand.NewPCG(7, seed))
				var sent, want []byte
				for i := range 1000 {
					payload := strings.Repeat(fmt.Sprint(i, "é"), r.IntN(20))
					if i%50 == 0 {
						payload = strings.Repeat(payload, 1+r.IntN(3000))
					}
					want = append(want, record(payload)...)
					first, rest := byte(opText), []byte(payload)
					for r.IntN(3) == 0 {
						n := r.IntN(len(rest) + 1)
						sent = append(sent, maskedFrame(first, rest[:n])...)
						first, rest = wire.OpContinuation, rest[n:]
					}
					sent = append(sent, maskedFrame(fin|first, rest)...)
				}
				for sent = append(sent, closeFrame(1000, "")...); len(sent) > 0; {
					n := min(len(sent), 1+r.IntN(100_000))
					s.write(sent[:n])
					sent = sent[n:]
				}
				if got := wspipetest.Wait(t, "input", child.input); !bytes.Equal(got, want) {
					t.Errorf("input of %d bytes, want %d", len(got), len(want))
				}
			})
		}
	}
}

// The child gets nothing of a message that is held whole and is invalid or incomplete.
func TestRecordsAreWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	const limit = 3 * wire.BlockSize
	long := strings.Repeat("é", wire.BlockSize)
	for name, test := range map[string]struct {
		sent   []byte
		code   int // 1006: the client disconnects
		reason string
	}{
		"not UTF-8":             {maskedFrame(fin|opText, []byte("a\xff")), 1007, "text is not UTF-8"},
		"long, not UTF-8":       {maskedFrame(fin|opText, []byte(long+"\xff")), 1007, "text is not UTF-8"},
		"long, incomplete":      {maskedFrame(fin|opText, []byte(long+"\xe2\x82")), 1007, "text is not UTF-8"},
		"long, bad in frame 2":  {append(maskedFrame(opText, []byte(long)), maskedFrame(fin|wire.OpContinuation, []byte("\x80"))...), 1007, "text is not UTF-8"},
		"too big":               {maskedFrame(fin|opBinary, make([]byte, limit+1)), 1009, fmt.Sprintf("message over %d bytes", limit)},
		"too big over frames":   {append(maskedFrame(opBinary, make([]byte, limit)), maskedFrame(fin|wire.OpContinuation, make([]byte, 1))...), 1009, fmt.Sprintf("message over %d bytes", limit)},
		"gone within":           {maskedFrame(fin|opBinary, make([]byte, 1000))[:500], 1006, ""},
		"gone within a long":    {maskedFrame(fin|opBinary, make([]byte, limit))[:limit-100], 1006, ""},
		"gone between frames":   {maskedFrame(opBinary, make([]byte, limit)), 1006, ""},
		"a bad frame in a long": {append(maskedFrame(opBinary, make([]byte, limit-1)), bytes.Repeat([]byte{0xff}, 14)...), 1002, ""},
		"close in a long":       {append(maskedFrame(opBinary, make([]byte, limit-1)), closeFrame(1000, "bye")...), 1000, "bye"},
	} {
		for _, mode := range []framing.Framing{framing.Length, framing.LSP} {
			t.Run(fmt.Sprint(mode, "/", name), func(t *testing.T) {
				t.Parallel()
				child := newPuppet(t).readAll()
				s := start(t, child, Options{Framing: mode, MaxMessage: limit, InputTimeout: -1})
				s.send("before")
				s.write(test.sent)
				switch test.code {
				case 1007, 1009:
					s.expectClose(test.code, test.reason)
				default:
					s.client.Close()
				}
				if got, want := string(wspipetest.Wait(t, "input", child.input)), heldInput[mode]("before"); got != want {
					t.Errorf("input of %d bytes, want %d: %.50q", len(got), len(want), got)
				}
				if sum := s.summary(); int(sum.Code) != test.code || sum.In.Messages != 1 {
					t.Errorf("summary %+v", sum)
				}
			})
		}
	}
}

// A child that does not read blocks its client, at the cost of a bounded backlog. Nothing
// is lost, and each message stays whole.
func TestRecordsForASlowChild(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	for _, mode := range []framing.Framing{framing.Length, framing.LSP} {
		for _, size := range []int{100, 300_000, limit} {
			t.Run(fmt.Sprint(mode, "/", size), func(t *testing.T) {
				t.Parallel()
				child := newPuppet(t)
				child.reader = true
				s := startOver(t, link{buffers: 256 << 10}, child, Options{Framing: mode, MaxMessage: limit, InputTimeout: -1})
				payload := strings.Repeat("x", size)
				count := 8_000_000 / size
				sent := bytes.Repeat(maskedFrame(fin|opText, []byte(payload)), count)
				n := heldUpAfter(t, s, sent)
				if w := s.stdin.Waiting(); w < maxInputBacklog/2 || w > maxInputBacklog+limit+2*wire.BlockSize {
					t.Errorf("%d bytes queued", w)
				}
				child.readAll()
				s.write(sent[n:], closeFrame(1000, ""))
				if got := string(wspipetest.Wait(t, "input", child.input)); got != strings.Repeat(heldInput[mode](payload), count) {
					t.Errorf("input of %d bytes, want %d", len(got), count*len(heldInput[mode](payload)))
				}
			})
		}
	}
}

// A batch that had to grow for a long message is freed after it, even while the client has
// more to send.
func TestBatchOfALongMessageIsFreed(t *testing.T) {
	t.Parallel()
	c, ws, conn := connect(t, link{})
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
	wspipetest.Wait(t, "the end of the wire", conn.Closed())
}

// A message reaches the child at once, whatever follows it.
func TestRecordIsNotDelayed(t *testing.T) {
	t.Parallel()
	for mode, record := range heldInput {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t)
			s := start(t, child, Options{Framing: mode})
			one, two := maskedFrame(fin|opText, []byte("one")), maskedFrame(fin|opText, bytes.Repeat([]byte("2"), 200))
			for cut := range two {
				s.write(one, two[:cut])
				if got := child.read(t, len(record("one"))); got != record("one") {
					t.Fatalf("child read %q", got)
				}
				s.write(two[cut:])
				if got := child.read(t, len(record(strings.Repeat("2", 200)))); got != record(strings.Repeat("2", 200)) {
					t.Fatalf("child read %q", got)
				}
			}
		})
	}
}

// Several messages of the maximum size take no more memory than one.
func TestLongRecordsTakeBoundedMemory(t *testing.T) {
	child := newPuppet(t)
	s := start(t, child, Options{Framing: framing.LSP, MaxMessage: 4 << 20})
	message := maskedFrame(fin|opText, bytes.Repeat([]byte("é"), 2<<20))
	message = append(message, maskedFrame(fin|opText, nil)...) // received once the batch of the first is free
	s.SetDeadline(time.Now().Add(wspipetest.Lifetime))
	before := liveHeap()
	for i := range 20 {
		go s.client.Write(message) // ends when it has been read
		child.read(t, len(heldInput[framing.LSP]("")))
		for range 4 {
			child.read(t, 1<<20)
		}
		child.read(t, len("4194304")-1+len(heldInput[framing.LSP]("")))
		if n := liveHeap() - before; n > 2<<20 {
			t.Errorf("%d more bytes in use after message %d", n, i)
		}
	}
}
