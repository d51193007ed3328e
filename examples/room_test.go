//go:build unix

package examples_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// startRoom starts the room that is cat.
func startRoom(t *testing.T, flags ...string) *wspipetest.Server {
	t.Helper()
	return wspipetest.Start(t, append(flags, "--share=broadcast", "--replay=50", "--linger=-1", wspipetest.Need(t, "cat"))...)
}

// shell is somebody with wspipe connect.
type shell struct {
	t     *testing.T
	stdin io.Writer
	lines *bufio.Scanner // of stdout
}

// connect runs wspipe connect until the test ends.
func connect(t *testing.T, server *wspipetest.Server) *shell {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wspipetest.Patience)
	cmd := exec.CommandContext(ctx, wspipetest.Binary(t), "connect", server.WS)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait()
	})
	return &shell{t, stdin, bufio.NewScanner(stdout)}
}

func (s *shell) send(line string) {
	s.t.Helper()
	if _, err := fmt.Fprintln(s.stdin, line); err != nil {
		s.t.Fatal(err)
	}
}

// expect reads as many lines as it is given, which must be these.
func (s *shell) expect(lines ...string) {
	s.t.Helper()
	for _, want := range lines {
		if !s.lines.Scan() {
			s.t.Fatalf("no line, want %q: %v", want, s.lines.Err())
		}
		if got := s.lines.Text(); got != want {
			s.t.Fatalf("got line %q, want %q", got, want)
		}
	}
}

// TestRoom: everybody gets everybody's lines, also their own, whatever they came
// with; a newcomer gets the last 50.
func TestRoom(t *testing.T) {
	t.Parallel()
	server := startRoom(t)
	ada, bob, eve := dial(t, server), dial(t, server), connect(t, server)
	all := func(line string) {
		t.Helper()
		ada.Expect(line)
		bob.Expect(line)
		eve.expect(line)
	}
	ada.Send("ada: hello")
	all("ada: hello")
	bob.Send("bob: hello, Ada ☃")
	all("bob: hello, Ada ☃")
	eve.send("eve: here I am")
	all("eve: here I am")
	ada.Send("")
	all("")

	var said []string
	for i := range 60 {
		line := fmt.Sprintf("ada: %d", i)
		said = append(said, line)
		ada.Send(line)
		all(line)
	}
	newcomer, another := dial(t, server), connect(t, server)
	newcomer.Expect(said[10:]...)
	another.expect(said[10:]...)
	newcomer.Send("zoe: what did I miss?")
	all("zoe: what did I miss?")
	newcomer.Expect("zoe: what did I miss?")
	another.expect("zoe: what did I miss?")
}

// TestRoomIsKept: with --linger=-1 the last lines outlive those who said them.
func TestRoomIsKept(t *testing.T) {
	t.Parallel()
	server := startRoom(t)
	ada := dial(t, server)
	ada.Send("anybody here?")
	ada.Expect("anybody here?")
	ada.CloseNow()
	server.AwaitStderr("msg=disconnect")
	dial(t, server).Expect("anybody here?")
}

// TestRoutes: the file of routes has rooms by path, with and without names.
func TestRoutes(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(wspipetest.Binary(t), "--port=0", "--routes=examples/routes")
	cmd.Dir = ".."
	server := wspipetest.StartCommand(t, cmd)
	at := func(path string) *wspipetest.Client { return wspipetest.Dial(t, server.WS+path, nil) }
	at("count").Expect("1")
	greeter := at("greeter")
	greeter.Send("Ada")
	greeter.Expect("Hello, Ada!")

	blue, red := at("room/blue"), at("room/red")
	blue.Send("in blue")
	blue.Expect("in blue")
	red.Send("in red")
	red.Expect("in red")
	at("room/blue").Expect("in blue")

	ada, eve := at("chat/blue?name=ada"), at("chat/red?name=eve")
	ada.Expect("* here: ada", "* ada joined")
	eve.Expect("* here: eve", "* eve joined")
	bob := at("chat/blue?name=bob")
	bob.Expect("* here: ada, bob", "* bob joined")
	ada.Expect("* bob joined")
	bob.Send("hello")
	ada.Expect("bob: hello")
	eve.Send("anybody?")
	eve.Expect("eve: anybody?")
}

// TestRoomPage: the page of the chat is one for the room, too, which asks for no
// name.
func TestRoomPage(t *testing.T) {
	t.Parallel()
	ada := browser(t)
	bob := ada.open()
	server := startRoom(t, "--staticdir=html")
	eve := connect(t, server)

	ada.do(chromedp.Navigate(on(server, "chat.html")))
	ada.untilShown("state", "open")
	ada.until(`document.getElementById("line").placeholder`, "Message")
	ada.enter("hello, <b>all</b>")
	ada.untilShown("log", "hello, <b>all</b>")
	bob.do(chromedp.Navigate(on(server, "chat.html")))
	bob.untilShown("log", "hello, <b>all</b>")
	bob.enter("hello, Ada")
	eve.expect("hello, <b>all</b>", "hello, Ada")
	eve.send("and eve")
	for _, b := range []tab{ada, bob} {
		b.untilShown("log", "hello, <b>all</b>\nhello, Ada\nand eve")
		b.until(`String(document.querySelectorAll("#log b, #log .note").length)`, "0")
	}
}
