//go:build unix

package wspipetest_test

import (
	"bytes"
	"testing"

	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/cmd/wspipetest"
)

// echoOn reads as much as there is, and writes it to its argument, a descriptor, in
// one write(2).
const echoOn = `
import os, sys
while data := os.read(0, 1 << 20):
    os.write(int(sys.argv[1]), data)`

// TestAWriteIsAMessage: with --binary and on channels, what the child writes at once is one
// message, and a message is one write(2) to the child.
func TestAWriteIsAMessage(t *testing.T) {
	t.Parallel()
	const stdout, stderr = "1", "2"
	session := "?" + aSession
	python := wspipetest.Need(t, "python3")
	for name, test := range map[string]struct {
		flags           []string
		query, protocol string
		fd              string
	}{
		"plain":                 {[]string{"--binary"}, "", "", stdout},
		"compressed":            {[]string{"--binary", "--compress"}, "", "", stdout},
		"shared":                {[]string{"--binary", "--share=broadcast", "--replay=5"}, "", "", stdout},
		"resumable":             {[]string{"--binary", "--resume=1m"}, session, "", stdout},
		"stdout":                {nil, "", channel.ProtocolWspipe, stdout},
		"stderr":                {nil, "", channel.ProtocolWspipe, stderr},
		"Kubernetes":            {nil, "", channel.ProtocolV5, stdout},
		"stdout, shared":        {[]string{"--share=broadcast"}, "", channel.ProtocolWspipe, stdout},
		"stderr, shared":        {[]string{"--share=broadcast"}, "", channel.ProtocolWspipe, stderr},
		"stdout, resumable":     {[]string{"--resume=1m"}, session, channel.ProtocolWspipe, stdout},
		"stderr, resumable":     {[]string{"--resume=1m"}, session, channel.ProtocolWspipe, stderr},
		"stderr, line-buffered": {[]string{"--line-buffered"}, "", channel.ProtocolV4, stderr},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := wspipetest.Start(t, append(test.flags, "--loglevel=error", python, "-c", echoOn, test.fd)...)
			opt := &websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover}
			var to, from []byte
			if test.protocol != "" {
				opt.Subprotocols = []string{test.protocol}
				to, from = []byte{channel.Stdin}, []byte{test.fd[0] - '0'}
			}
			c := wspipetest.Dial(t, s.WS+test.query, opt)
			if test.protocol == channel.ProtocolWspipe {
				c.Next() // hello
			}
			if test.protocol != "" {
				c.Expect("\x01")
			}
			for _, size := range []int{1, 10_000, 1, 1023, 1, 1024, 1025, 3, 65_536, 65_536, 2, 65_535} {
				sent := bytes.Repeat([]byte{byte(size)}, size)
				if err := c.Write(c.Ctx, websocket.MessageBinary, append(to, sent...)); err != nil {
					t.Fatal(err)
				}
				if got, want := c.Next(), string(from)+string(sent); got != want {
					t.Fatalf("a write of %d bytes became a message of %d bytes", size, len(got)-len(from))
				}
			}
		})
	}
}
