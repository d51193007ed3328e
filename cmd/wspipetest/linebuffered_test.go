//go:build unix

package wspipetest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// Each of these prints a number, without flushing, and waits for a line before
// it goes on, five times. What it says on stderr is in the log at once.
const (
	pythonTurns = `
import os
for i in range(5):
    print(i)
    os.write(2, b"printed %d\n" % i)
    while os.read(0, 1) != b"\n": pass
`
	cTurns = `
#include <stdio.h>
#include <unistd.h>
int main(void) {
	char c;
	for (int i = 0; i < 5; i++) {
		printf("%d\n", i);
		dprintf(2, "printed %d\n", i);
		do read(0, &c, 1); while (c != '\n');
	}
}
`
	awkTurns = `BEGIN {
	for (i = 0; i < 5; i++) {
		print i
		printf "printed %d\n", i > "/dev/stderr"; fflush("/dev/stderr")
		while ((getline line < ("go" i)) < 0) ;
	}
}`
	grepTurns = `tee /dev/stderr | grep .` // what tee says is what grep will print
)

// turns is one of these programs at work.
type turns struct {
	name    string
	command func(t *testing.T, dir string) []string
	before  bool // it is told to go on before it prints, not after
	file    bool // by a file, not by a message
}

var allTurns = []turns{
	{name: "python", command: func(t *testing.T, _ string) []string {
		return []string{wspipetest.Need(t, "python3"), "-c", pythonTurns}
	}},
	{name: "awk", file: true, command: func(t *testing.T, _ string) []string {
		return []string{wspipetest.Need(t, "awk"), awkTurns}
	}},
	{name: "grep", before: true, command: func(*testing.T, string) []string {
		return []string{"sh", "-c", grepTurns}
	}},
	{name: "C", command: func(t *testing.T, dir string) []string {
		source, program := filepath.Join(dir, "turns.c"), filepath.Join(dir, "turns")
		if err := os.WriteFile(source, []byte(cTurns), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(wspipetest.Need(t, "gcc"), "-o", program, source).CombinedOutput(); err != nil {
			t.Fatalf("gcc: %v\n%s", err, out)
		}
		return []string{program}
	}},
}

// goOn tells the program to go on with number i.
func (p turns) goOn(t *testing.T, c *wspipetest.Client, dir string, i int) {
	t.Helper()
	if !p.file {
		c.Send(fmt.Sprint(i))
		return
	}
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("go", i)), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p turns) start(t *testing.T, flags ...string) (s *wspipetest.Server, dir string) {
	t.Helper()
	dir = t.TempDir()
	s = wspipetest.Start(t, append(append(flags, "--cwd="+dir, "--"), p.command(t, dir)...)...)
	return s, dir
}

// TestEachLineComesWhenItIsPrinted: a program that does not flush is behind
// --line-buffered as it is in a terminal. It prints the next line only after
// the client has seen the last.
func TestEachLineComesWhenItIsPrinted(t *testing.T) {
	t.Parallel()
	for _, p := range allTurns {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s, dir := p.start(t, "--line-buffered")
			c := wspipetest.Dial(t, s.WS, nil)
			for i := range 5 {
				if p.before {
					p.goOn(t, c, dir, i)
				}
				c.Expect(fmt.Sprint(i))
				if !p.before {
					p.goOn(t, c, dir, i)
				}
			}
			if !p.before {
				c.ExpectEnd(websocket.StatusNormalClosure, "exit 0")
			}
		})
	}
}

// TestUnflushedLinesComeAtTheEnd is what --line-buffered is for: the same
// programs behind pipes keep what they print.
func TestUnflushedLinesComeAtTheEnd(t *testing.T) {
	t.Parallel()
	for _, p := range allTurns {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s, dir := p.start(t)
			c := wspipetest.Dial(t, s.WS, nil)
			got := make(chan []byte, 10)
			go func() { // ends with the connection
				for {
					_, message, err := c.Read(c.Ctx)
					if err != nil {
						close(got)
						return
					}
					got <- message
				}
			}()
			last := `line="printed 4"`
			for i := range 5 {
				if p.before {
					last = `line=4`
				}
				if p.before || i < 4 {
					p.goOn(t, c, dir, i)
				}
			}
			s.AwaitStderr(last)
			// A pong comes after all that was sent before it.
			if err := c.Ping(c.Ctx); err != nil {
				t.Fatal(err)
			}
			select {
			case message := <-got:
				t.Errorf("%q came before the end: so nothing is shown by the other test", message)
			default:
			}
			if p.before {
				return // plain messages cannot end its input
			}
			p.goOn(t, c, dir, 4)
			for i := range 5 {
				if message := <-got; string(message) != fmt.Sprint(i) {
					t.Errorf("message %d is %q", i, message)
				}
			}
		})
	}
}

// TestNoLineIsTruncated: programs that cut lines to the width of a terminal have
// room behind --line-buffered, whatever the client's window. --size is obeyed.
func TestNoLineIsTruncated(t *testing.T) {
	t.Parallel()
	wspipetest.Need(t, "ps")
	script := "ps -o args= -p $$; stty size <&1; : " + strings.Repeat("x", 20_000)
	long := "/bin/sh -c " + script
	for _, test := range []struct{ flag, query, ps, size string }{
		{"--line-buffered", "", long, "24 32767"},
		{"--line-buffered", "?wspipe_size=80x24", long, "24 32767"},
		{"--size=90x30", "", long[:90], "30 90"},
	} {
		s := wspipetest.Start(t, "--line-buffered", test.flag, "/bin/sh", "-c", script)
		wspipetest.Dial(t, s.WS+test.query, nil).Expect(test.ps, test.size)
	}
}
