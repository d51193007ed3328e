// Package examples_test runs every example behind the real wspipe.
package examples_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

func TestMain(m *testing.M) {
	code := wspipetest.Main(m)
	for _, build := range compiled {
		if dir, err := build(); err == nil {
			os.RemoveAll(dir)
		}
	}
	os.Exit(code)
}

// tools has the program that runs or compiles an example, by the directory of the example.
var tools = map[string]string{"bash": "bash", "node": "node", "perl": "perl", "python": "python3",
	"php": "php", "ruby": "ruby", "lua": "lua", "go": "go", "c": "gcc"}

// compiled has the functions that compile the examples of a language, each into a directory that it returns.
var compiled = map[string]func() (string, error){
	"go": compile(`go build -o "$1/" ./go/...`),
	"c":  compile(`for f in c/*.c; do gcc -Wall -Wextra -Werror -o "$1/$(basename "$f" .c)" "$f" || exit; done`),
}

func compile(script string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "wspipe-examples")
		if err != nil {
			return "", err
		}
		if out, err := exec.Command("sh", "-c", script, "sh", dir).CombinedOutput(); err != nil {
			return dir, fmt.Errorf("%s: %w\n%s", script, err, out)
		}
		return dir, nil
	})
}

// example returns the command of an example, by its path in this directory.
func example(t *testing.T, name string) string {
	t.Helper()
	language := filepath.Dir(name)
	wspipetest.Need(t, tools[language])
	dir, file := ".", name
	if build := compiled[language]; build != nil {
		built, err := build()
		if err != nil {
			t.Fatal(err)
		}
		dir, file = built, filepath.Base(name)
	}
	path, err := filepath.Abs(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// client is a connection to an example.
type client struct {
	*wspipetest.Client
	t *testing.T
}

func dial(t *testing.T, server *wspipetest.Server) client {
	t.Helper()
	return client{wspipetest.Dial(t, server.WS, nil), t}
}

// wantClosed wants the end to be the next thing that comes.
func (c client) wantClosed(reason string) {
	c.t.Helper()
	if more := c.ExpectEnd(websocket.StatusNormalClosure, reason); len(more) > 0 {
		c.t.Errorf("%q after the last message", more)
	}
}

// leave closes the connection and wants the child of a wspipe --once to end
// by itself, with status 0, not by a signal.
func (c client) leave(server *wspipetest.Server) {
	c.t.Helper()
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		c.t.Error(err)
	}
	if status := server.Wait(); status != 0 {
		c.t.Errorf("the example ended with status %d:\n%s", status, server.Stderr())
	}
}

// unhurried lets an example that ends with its input do so on a busy machine, too,
// before it gets a signal.
const unhurried = "--closems=5000"

var counts = []string{"bash/count.sh", "python/count.py", "node/count.js", "perl/count.pl", "php/count.php", "ruby/count.rb", "lua/count.lua", "go/count", "c/count"}

func TestCount(t *testing.T) {
	t.Parallel()
	for _, name := range counts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, wspipetest.Start(t, example(t, name), "2"))
			c.Expect("1", "2")
			c.wantClosed("exit 0")
		})
	}
}

// TestCountToTen has all of them count at the same time.
func TestCountToTen(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	clients := make(map[string]client)
	for _, name := range counts {
		t.Run("start "+name, func(st *testing.T) {
			command := example(st, name)
			clients[name] = dial(t, wspipetest.Start(t, command))
		})
	}
	for name, c := range clients {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.Expect(strings.Fields("1 2 3 4 5 6 7 8 9 10")...)
			c.wantClosed("exit 0")
		})
	}
}

func TestGreeter(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bash/greeter.sh", "python/greeter.py", "node/greeter.js", "perl/greeter.pl",
		"php/greeter.php", "ruby/greeter.rb", "lua/greeter.lua", "go/greeter", "c/greeter"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := wspipetest.Start(t, "--once", unhurried, example(t, name))
			c := dial(t, server)
			names := []string{"Ada", "Grace Hopper", "  blanks  ", `back\slash`, "-n", "Zoë ☃", ""}
			for _, name := range names {
				c.Send(name)
			}
			for _, name := range names {
				c.Expect("Hello, " + name + "!")
			}
			c.leave(server)
		})
	}
}

func TestLogtail(t *testing.T) {
	t.Parallel()
	script := example(t, "bash/logtail.sh")
	log := filepath.Join(t.TempDir(), "some.log")
	add(t, log, "before\n")
	server := wspipetest.Start(t, "--once", script, log)
	c := dial(t, server)
	c.Expect("before")
	add(t, log, "after\n")
	c.Expect("after")
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	add(t, log, "rotated\n")
	c.Expect("rotated")
	c.leave(server)
}

// add appends text to a file.
func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSysmon(t *testing.T) {
	t.Parallel()
	wspipetest.Need(t, "python3")
	if _, err := os.Stat("/proc/meminfo"); err != nil {
		t.Skip("only Linux has /proc/meminfo")
	}
	c := dial(t, wspipetest.Start(t, example(t, "python/sysmon.py"), "2"))
	for range 2 {
		line := c.Next()
		var sample struct {
			Time   int64
			Load   []float64
			Memory struct{ Total, Available int64 }
		}
		if err := json.Unmarshal([]byte(line), &sample); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if sample.Time == 0 || len(sample.Load) != 3 || sample.Memory.Available == 0 || sample.Memory.Available > sample.Memory.Total {
			t.Errorf("a strange machine: %s", line)
		}
	}
	c.wantClosed("exit 0")
}

// enter dials the chat, gives a name and returns when it is in the room.
func enter(t *testing.T, server *wspipetest.Server, name string) client {
	t.Helper()
	c := dial(t, server)
	c.Expect("What is your name?")
	c.Send(name)
	c.until("* " + name + " joined")
	return c
}

// until reads until the message is last and returns all that came.
func (c client) until(last string) []string {
	c.t.Helper()
	var all []string
	for {
		message := c.Next()
		all = append(all, message)
		if message == last {
			return all
		}
	}
}

func TestChat(t *testing.T) {
	t.Parallel()
	server := wspipetest.Start(t, example(t, "bash/chat.sh"), filepath.Join(t.TempDir(), "room.txt"))
	ada, bob, eve := enter(t, server, "ada"), enter(t, server, "bob"), enter(t, server, "eve")
	ada.Expect("* bob joined", "* eve joined")
	bob.Expect("* eve joined")

	ada.Send("hello")
	bob.until("ada: hello")
	bob.Send("hello, Ada ☃")
	for _, c := range []client{ada, bob, eve} {
		c.until("bob: hello, Ada ☃")
	}

	if err := bob.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	ada.Expect("* bob left")
	eve.Expect("* bob left")
}

// TestChatKeepsLinesWhole has clients write at the same time.
func TestChatKeepsLinesWhole(t *testing.T) {
	t.Parallel()
	server := wspipetest.Start(t, example(t, "bash/chat.sh"), filepath.Join(t.TempDir(), "room.txt"))
	const lines = 40
	var clients []client
	var want []string
	for _, name := range []string{"ada", "bob", "eve"} {
		clients = append(clients, enter(t, server, name))
		for n := range lines {
			want = append(want, fmt.Sprintf("%s: %03d %s", name, n, strings.Repeat(name, 200)))
		}
	}
	for i, c := range clients {
		go func() { // ends when all is sent; unblocked by the test's context
			for _, line := range want[i*lines : (i+1)*lines] {
				_, text, _ := strings.Cut(line, ": ")
				c.Write(c.Ctx, websocket.MessageText, []byte(text)) // what is not sent is not received below
			}
		}()
	}
	for _, c := range clients {
		var got []string
		for len(got) < len(want) {
			if message := c.Next(); !strings.HasPrefix(message, "* ") {
				got = append(got, message)
			}
		}
		slices.Sort(got)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the lines are not what was sent: %q", got)
		}
	}
}

func TestChatCleansWhatItReads(t *testing.T) {
	t.Parallel()
	server := wspipetest.Start(t, "--once", unhurried, "--setenv=CHAT_FILE="+filepath.Join(t.TempDir(), "room.txt"), example(t, "bash/chat.sh"))
	c := dial(t, server)
	c.Expect("What is your name?")
	c.Send("\t\x1b[1mEve \a\r")
	c.Expect("* [1mEve joined")
	c.Send("\a")
	c.Send("  a\tb\x7f\\n  ")
	c.Expect(`[1mEve: ab\n`)
	c.Send(strings.Repeat("x", 10_000))
	c.Expect("[1mEve: " + strings.Repeat("x", 800))
	c.leave(server)
}

func TestChatWithoutRoom(t *testing.T) {
	t.Parallel()
	c := dial(t, wspipetest.Start(t, example(t, "bash/chat.sh"), filepath.Join(t.TempDir(), "none", "room.txt")))
	c.Expect("What is your name?")
	c.Send("ada")
	c.wantClosed("exit 1")
}
