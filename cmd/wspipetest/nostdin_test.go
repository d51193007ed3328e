//go:build unix

package wspipetest_test

import (
	"testing"

	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/cmd/wspipetest"
)

const aSession = "wspipe_session=0123456789abcdefghijkl"

// startCat runs cat, which ends when its stdin does.
func startCat(t *testing.T, flags ...string) *wspipetest.Server {
	t.Helper()
	return wspipetest.Start(t, append(append(flags, "--"), wspipetest.Need(t, "cat"))...)
}

func dialAs(t *testing.T, url, protocol string) *wspipetest.Client {
	t.Helper()
	opt := &websocket.DialOptions{}
	if protocol != "" {
		opt.Subprotocols = []string{protocol}
	}
	return wspipetest.Dial(t, url, opt)
}

// TestNoStdin: the child of a Kubernetes client without stdin reads its end.
func TestNoStdin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ flag, protocol, query string }{
		{"--binary", channel.ProtocolV5, "?stdin=false"},
		{"--binary", channel.ProtocolV4, "?command=cat&stdin=False&stdout=true"},
		{"--binary", channel.ProtocolV5, "?stdin=0"},
		{"--binary", channel.ProtocolV5, "?command=cat&stdout=true"}, // as kubectl says it
		{"--binary", channel.ProtocolV5, "?stderr=1"},
		{"--pty", channel.ProtocolV5, "?stdin=false&stdout=true&tty=true"},
		{"--resume=1m", channel.ProtocolV5, "?stdin=false&" + aSession},
	} {
		dialAs(t, startCat(t, test.flag).WS+test.query, test.protocol).ExpectEnd(websocket.StatusNormalClosure, "exit 0")
	}
}

// TestStdinOfOthers: other clients have a stdin, whatever their query says.
func TestStdinOfOthers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ protocol, query string }{
		{channel.ProtocolV5, ""},
		{channel.ProtocolV5, "?stdin"},
		{channel.ProtocolV4, "?stdin=true&stdout=true"},
		{channel.ProtocolWspipe, "?stdin=false"},
		{"", "?stdin=false&stdout=true"},
	} {
		c := dialAs(t, startCat(t, "--binary").WS+test.query, test.protocol)
		message, want := "x", "x"
		if test.protocol != "" {
			message, want = "\x00x", "\x01x"
		}
		if test.protocol == channel.ProtocolWspipe {
			c.Next() // hello
		}
		if test.protocol != "" {
			c.Expect("\x01")
		}
		c.Send(message)
		c.Expect(want)
	}
}

// TestNoStdinOfASharedChild: a client without stdin leaves that to others.
func TestNoStdinOfASharedChild(t *testing.T) {
	t.Parallel()
	s := startCat(t, "--share=broadcast")
	other := dialAs(t, s.WS, "")
	c := dialAs(t, s.WS+"?stdin=false", channel.ProtocolV5)
	c.Send("\x00dropped\n")
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil { // the server has read all of it
		t.Error(err)
	}
	other.Send("taken")
	other.Expect("taken")
}
