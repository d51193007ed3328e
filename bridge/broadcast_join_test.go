//go:build unix

package bridge

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/cmd/wspipetest"
)

// TestNewClientsMissNoStderr: with JSON, the streams of a new client with channels continue
// after its replay, including incomplete messages.
func TestNewClientsMissNoStderr(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	b := startBroadcast(t, child, Options{Framing: framing.JSON, Replay: 5})
	first := b.join(link{protocol: channel.ProtocolWspipe}, Options{})
	io.WriteString(child.far[2], "one\nha")
	first.stream(channel.Stderr, 6)
	v := b.join(link{protocol: channel.ProtocolWspipe}, Options{})
	io.WriteString(child.far[2], "lf\n")
	if got := v.stream(channel.Stderr, 9); got != "one\nhalf\n" {
		t.Errorf("stderr %q", got)
	}
}

// stream reads n bytes of a channel, and skips other channels.
func (v *broadcastConn) stream(channel byte, n int) string {
	v.t.Helper()
	var got strings.Builder
	for got.Len() < n {
		if _, message, _ := v.message(); message[0] == channel {
			got.WriteString(message[1:])
		}
	}
	return got.String()
}

// TestJoinInALongLine: a new client with channels gets all of the line that is being sent.
func TestJoinInALongLine(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	b := startBroadcast(t, child, Options{Replay: 5})
	first := b.join(link{protocol: channel.ProtocolWspipe}, Options{})
	long := strings.Repeat("x", 300_000)
	child.print(t, "one\n"+long)
	first.stream(channel.Stdout, 4+len(long))
	v := b.join(link{protocol: channel.ProtocolWspipe}, Options{})
	child.print(t, "y\n")
	if got := v.stream(channel.Stdout, 4+len(long)+2); got != "one\n"+long+"y\n" {
		t.Errorf("%d bytes: %.20q...%q", len(got), got, got[len(got)-3:])
	}
}

// TestNobodyJoinsInAnInterruptedLine: with JSON, a line that another stream has interrupted is
// not complete.
func TestNobodyJoinsInAnInterruptedLine(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	b := startBroadcast(t, child, Options{Framing: framing.JSON, Replay: 1})
	first := b.join(link{}, Options{})
	long := strings.Repeat("x", 300_000)
	child.print(t, long)
	wspipetest.Eventually(t, "the line has begun", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.midMessage })
	io.WriteString(child.far[2], "oops\n")
	first.message()
	first.expect(`{"stream":"stderr","data":"oops"}`)
	c, ws, conn := connect(t, link{})
	v := &broadcastConn{client: c, broadcastClient: attach(b.t, b.Bridge, Options{}, NewWebSocket(ws, conn, false), ClientOptions{}).attachment.(*broadcastClient), ended: make(chan Summary, 1)}
	go func() { v.ended <- v.Run() }() // ends when the client disconnects
	t.Cleanup(func() { c.Close(); v.summary() })
	wspipetest.Eventually(t, "it is there", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.attached)+len(b.waiting) == 2
	})
	child.print(t, "y\nnext\n")
	v.expect(fmt.Sprintf(`{"stream":"stdout","data":"%sy"}`, long), `{"stream":"stdout","data":"next"}`)
}
