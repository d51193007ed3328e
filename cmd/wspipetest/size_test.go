//go:build unix

package wspipetest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"golang.org/x/sys/unix"

	"wspipe/bridge/channel"
	"wspipe/cmd/wspipetest"
)

// sharedTerminal is a terminal that clients of --share=broadcast see.
type sharedTerminal struct {
	*wspipetest.Server
	t    *testing.T
	name string
}

// shareTerminal starts one, whose first client says how large its window is.
func shareTerminal(t *testing.T, size string, flags ...string) sharedTerminal {
	t.Helper()
	flags = append(flags, "--share=broadcast", "--pty", "/bin/sh", "-c", "tty; read x")
	s := sharedTerminal{wspipetest.Start(t, flags...), t, ""}
	s.name = strings.TrimSpace(wspipetest.Dial(t, s.WS+"?wspipe_size="+size, nil).Next())
	return s
}

// size returns COLSxROWS.
func (s sharedTerminal) size() string {
	s.t.Helper()
	fd, err := unix.Open(s.name, unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer unix.Close(fd)
	size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprintf("%dx%d", size.Col, size.Row)
}

func (s sharedTerminal) await(size string) {
	s.t.Helper()
	until(s.t, "the size is "+size, func() bool { return s.size() == size })
}

// join makes another client, which says how large its window is by a query or by
// a message.
func (s sharedTerminal) join(query, protocol, message string) *wspipetest.Client {
	s.t.Helper()
	c := wspipetest.Dial(s.t, s.WS+query, &websocket.DialOptions{Subprotocols: []string{protocol}})
	if message != "" {
		if err := c.Write(c.Ctx, websocket.MessageBinary, []byte(message)); err != nil {
			s.t.Fatal(err)
		}
	}
	return c
}

const resize = "\x05" + `{"type":"resize","cols":110,"rows":40}`

// TestSharedTerminalFitsIntoEveryWindow as that of tmux does.
func TestSharedTerminalFitsIntoEveryWindow(t *testing.T) {
	t.Parallel()
	s := shareTerminal(t, "100x50")
	s.await("100x50")
	second := s.join("?wspipe_size=90x60", "", "")
	s.await("90x50")
	s.join("", channel.ProtocolWspipe, resize)
	s.await("90x40")
	second.CloseNow()
	s.await("100x40")
}

// TestReadOnlyTerminalHasTheServersSize, whatever its clients say.
func TestReadOnlyTerminalHasTheServersSize(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]string{"--readonly": "80x24", "--size=70x20": "70x20"} {
		s := shareTerminal(t, "1x1", "--readonly", flag)
		if got := s.size(); got != want {
			t.Errorf("%s: the first client made it %s", flag, got)
		}
		for _, c := range []*wspipetest.Client{
			s.join("?wspipe_size=1x1", "", ""),
			s.join("", channel.ProtocolWspipe, resize),
			s.join("", channel.ProtocolV5, "\x04"+`{"Width":1,"Height":1}`),
		} {
			if err := c.Close(websocket.StatusNormalClosure, ""); err != nil { // the server has read all of it
				t.Error(err)
			}
			if got := s.size(); got != want {
				t.Errorf("%s: another client, of subprotocol %q, made it %s", flag, c.Subprotocol(), got)
			}
		}
	}
}
