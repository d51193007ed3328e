package wspipetest_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// sandboxCommand returns the words that precede COMMAND in the block of sandbox.md that
// uses tool: all lines between that of wspipe and the last.
func sandboxCommand(t *testing.T, tool string) (words []string) {
	t.Helper()
	for _, b := range blocks(read(t, "../../docs/deploy/sandbox.md")) {
		lines := strings.Split(strings.TrimSpace(b.text), "\\\n")
		if words := strings.Fields(strings.Join(lines[min(1, len(lines)-1):len(lines)-1], "")); slices.Contains(words, tool) {
			return words
		}
	}
	t.Fatalf("sandbox.md has no recipe with %s", tool)
	return nil
}

// TestSandboxes: the exit status, signals and stop work through each recipe of
// sandbox.md that this machine can run without a systemd.
func TestSandboxes(t *testing.T) {
	t.Parallel()
	for _, recipe := range []struct{ tool, killed string }{
		{"bwrap", "exit 137"}, {"prlimit", "signal KILL"}, {"setpriv", "signal KILL"},
	} {
		wspipetest.Need(t, recipe.tool)
		if recipe.tool == "bwrap" {
			needBubblewrap(t)
		}
		t.Run(recipe.tool, func(t *testing.T) {
			t.Parallel()
			fifo := newFIFO(t)
			words := sandboxCommand(t, recipe.tool)
			if i := slices.Index(words, "--unshare-all"); i > 0 {
				words = slices.Insert(words, i, "--bind", fifo, fifo)
			}
			args := slices.Concat(words, []string{"sh", "-c", sandboxed, "sh", fifo})
			s := wspipetest.Start(t, args...)
			c := dial(t, s.WS)
			c.Send("exit")
			c.ExpectEnd(1000, "exit 3")
			c = dial(t, s.WS)
			c.Send("kill")
			c.ExpectEnd(1000, recipe.killed)

			c = dialAs(t, s.WS, "v1.wspipe")
			c.Send("\x00signal\n")
			for c.Next() != "\x01ready\n" {
			}
			c.Send("\x05" + `{"type":"signal","signal":"INT"}`)
			c.ExpectEnd(1000, "exit 7")

			testSandboxStop(t, s, fifo, "ignore")
			if recipe.tool == "bwrap" {
				testSandboxStop(t, s, fifo, "escape")
			}
		})
	}
}

// sandboxed is a child that does what its first line of input says. The FIFO $1 is
// open as long as a process of it runs.
const sandboxed = `read -r line
case $line in
exit) exit 3;;
kill) kill -KILL $$;;
signal) trap 'exit 7' INT;;
ignore) exec 3>"$1"; trap '' INT TERM;;
escape) exec 3>"$1"; setsid sleep 1000 >/dev/null 2>&1 &
esac
echo ready
while :; do sleep 1000 3>&- & wait; done`

// testSandboxStop disconnects from a child with this input, and waits until no process
// has the FIFO open.
func testSandboxStop(t *testing.T, s *wspipetest.Server, fifo, input string) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { // ends with the last writer of the FIFO
		_, err := os.ReadFile(fifo)
		ended <- err
	}()
	c := dial(t, s.WS)
	c.Send(input)
	c.Expect("ready")
	c.Close(websocket.StatusNormalClosure, "")
	if err := wspipetest.Wait(t, input+": the processes are gone", ended); err != nil {
		t.Error(err)
	}
}
