//go:build unix

package bridge

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// TestMessagesOfManyClients: each message of each client is a line of input, even if it is
// long and fragmented.
func TestMessagesOfManyClients(t *testing.T) {
	t.Parallel()
	const count, messages = 10, 20
	child := newPuppet(t).readAll()
	b := startBroadcast(t, child, Options{InputTimeout: -1})
	want := map[string]int{}
	var clients []*broadcastConn
	for c := range count {
		v := b.join(link{}, Options{MaxMessage: 1 << 20})
		clients = append(clients, v)
		var sent []byte
		for m := range messages {
			line := strings.Repeat(string(rune('a'+c)), 1+m*20_000)
			want[line]++
			half := len(line) / 2
			sent = append(sent, maskedFrame(opText, []byte(line[:half]))...)
			sent = append(sent, maskedFrame(fin|wire.OpContinuation, []byte(line[half:]))...)
		}
		go v.client.Write(sent) // ends when it was read
	}
	wspipetest.Eventually(t, "all have sent", func() bool {
		return !slices.ContainsFunc(clients, func(v *broadcastConn) bool { return v.input.total.messages.Load() < messages })
	})
	b.Stop()
	lines := strings.Split(strings.TrimSuffix(string(wspipetest.Wait(t, "input", child.input)), "\n"), "\n")
	for _, line := range lines {
		want[line]--
	}
	for line, n := range want {
		if n != 0 {
			t.Errorf("%.10s... of %d bytes is missing %d times", line, len(line), n)
		}
	}
}

// TestIncompleteMessageIsNoInput: what a client has begun does not reach the child while
// others send, and is one line when it is complete.
func TestIncompleteMessageIsNoInput(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	b := startBroadcast(t, child, Options{})
	slow, quick := b.join(link{}, Options{MaxMessage: 1 << 20}), b.join(link{}, Options{})
	half := strings.Repeat("a", 300_000)
	slow.write(maskedFrame(opText, []byte(half)), maskedFrame(fin|opPing, []byte("all read")))
	if f, err := slow.frame(); err != nil || f.first != fin|opPong {
		t.Fatalf("instead of a pong: %v, %v", f, err)
	}
	quick.send("b")
	if got := child.read(t, 2); got != "b\n" {
		t.Errorf("the child read %q", got)
	}
	slow.write(maskedFrame(fin|wire.OpContinuation, []byte(half)))
	if got := child.read(t, 600_001); got != half+half+"\n" {
		t.Errorf("the child read %.10q", got)
	}
}

// TestStoppedWithinARecord: an incomplete record of a child that we stop does not count as
// broken framing.
func TestStoppedWithinARecord(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	child := newPuppet(t)
	b := startBroadcast(t, child, Options{Framing: framing.Length, Log: slog.New(slog.NewTextHandler(&log, nil))})
	child.print(t, "\x00\x00\x00\x09half")
	b.Stop()
	b.ended <- wspipetest.Wait(t, "the end of the broadcast", b.ended)
	if got := log.String(); got != "" {
		t.Errorf("logged %q", got)
	}
}

// TestReadOnlyClients: with ReadOnly, no message of a client reaches the child.
func TestReadOnlyClients(t *testing.T) {
	t.Parallel()
	child := newPuppet(t).readAll()
	b := startBroadcast(t, child, Options{ReadOnly: true, Terminal: true, Framing: framing.Bytes, InputTimeout: -1})
	v := b.join(link{protocol: channel.ProtocolWspipe}, Options{Terminal: true, Framing: framing.Bytes})
	for _, message := range []string{"\x00input", "\x04" + `{"Width":10,"Height":10}`, "\x05" + `{"type":"signal","signal":"INT"}`, "\xff\x00", "\x00more"} {
		v.write(maskedFrame(fin|opBinary, []byte(message)))
	}
	wspipetest.Eventually(t, "all has come", func() bool { return v.input.total.messages.Load() == 2 })
	b.Stop()
	if input := wspipetest.Wait(t, "input", child.input); len(input) > 0 {
		t.Errorf("input %q", input)
	}
	close(child.told)
	for what := range child.told {
		if what != "signal WINCH" { // which the broadcast sends itself
			t.Errorf("the child got %s", what)
		}
	}
}

// TestTheTerminalFitsEveryWindow: its size is the minimum of the window sizes, and its
// contents are drawn again for a new client.
func TestTheTerminalFitsEveryWindow(t *testing.T) {
	t.Parallel()
	opt := Options{Terminal: true, Framing: framing.Bytes}
	child := newPuppet(t)
	b := startBroadcast(t, child, opt)
	expect := func(want string) {
		t.Helper()
		if got := wspipetest.Wait(t, want, child.told); got != want {
			t.Errorf("the child got %s, want %s", got, want)
		}
	}
	resize := func(v *broadcastConn, cols, rows int) {
		v.write(maskedFrame(fin|opBinary, fmt.Appendf([]byte{channel.Resize}, `{"Width":%d,"Height":%d}`, cols, rows)))
	}
	child.print(t, "\x1b[Hscreen")
	first := b.join(link{protocol: channel.ProtocolV5}, opt)
	expect("signal WINCH")
	resize(first, 100, 30)
	expect("size 100x30")
	second := b.join(link{protocol: channel.ProtocolV5}, opt)
	expect("signal WINCH")
	resize(second, 80, 40)
	expect("size 80x30")
	plain := b.join(link{}, opt)
	expect("signal WINCH")
	if opcode, screen, _ := plain.message(); opcode != opBinary || screen != "\x1b[Hscreen" {
		t.Errorf("a new client sees %q", screen)
	}
	second.write(closeFrame(1000, ""))
	expect("size 100x30")
}

// TestBothStreamsForAllClients: the lines of stdout and stderr stay in order, however they
// are interleaved.
func TestBothStreamsForAllClients(t *testing.T) {
	t.Parallel()
	const lines = 3000
	child := newPuppet(t)
	b := startBroadcast(t, child, Options{Slow: SlowBlock, Framing: framing.JSON})
	var clients []*broadcastConn
	for range 3 {
		clients = append(clients, b.join(link{}, Options{Framing: framing.JSON}))
	}
	for stream := 1; stream <= 2; stream++ {
		go func() { // ends when it was read
			for i := range lines {
				width := 10
				if i%500 == 0 {
					width = 150_000
				}
				fmt.Fprintf(child.far[stream], "%d %0*d\n", i, width, 0)
			}
			io.WriteString(child.far[stream], "end\n")
		}()
	}
	for _, v := range clients {
		next, part := map[string]int{}, map[string]string{}
		for ended := 0; ended < 2; {
			_, text, _ := v.message()
			var m struct {
				Stream, Data string
				More         bool
			}
			if err := json.Unmarshal([]byte(text), &m); err != nil {
				t.Fatalf("%.100q: %v", text, err)
			}
			part[m.Stream] += m.Data
			if m.More {
				continue
			}
			line := part[m.Stream]
			delete(part, m.Stream)
			if line == "end" {
				ended++
				continue
			}
			var n int
			if fmt.Sscan(line, &n); n != next[m.Stream] {
				t.Fatalf("%s: line %d instead of %d", m.Stream, n, next[m.Stream])
			}
			next[m.Stream]++
		}
		if next["stdout"] != lines || next["stderr"] != lines {
			t.Errorf("%v lines", next)
		}
	}
}
