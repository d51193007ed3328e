//go:build unix

package process

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

// kernelHolds is how many bytes the kernel stores for a reader: 4 KiB in the line discipline and
// 8 KiB before it.
const kernelHolds = 10_000

func init() { helpers["burst"] = burst }

// burst writes as many bytes as its argument says with one write, and exits.
func burst() {
	os.Stdout.Write(allBytes(must(strconv.Atoi(os.Args[1]))))
}

// The child has exited before the first Read. All that the kernel has accepted must arrive, every
// time.
func TestLastOutputOutlivesChild(t *testing.T) {
	for _, terminal := range []Terminal{StdoutTerminal, FullTerminal} {
		for _, size := range []int{1, 4095, 4096, 4097, kernelHolds} {
			for range 20 {
				c := start(t, on(terminal, sh("stty -opost <&1; exec head -c $1 /dev/zero", strconv.Itoa(size))))
				<-c.Exited()
				if n := len(readAll(t, c.Stdout())); n != size {
					t.Fatalf("terminal %d: %d bytes, want %d", terminal, n, size)
				}
			}
		}
	}
}

// A slow reader blocks the child within a write. The rest arrives around the child's exit.
func TestLastOutputForSlowReader(t *testing.T) {
	const size = 40_000
	for _, terminal := range []Terminal{StdoutTerminal, FullTerminal} {
		for range 30 {
			spec := helper("burst", strconv.Itoa(size))
			spec.Path, spec.Args = "/bin/sh", append([]string{"-c", `stty -opost <&1; exec "$0" "$@"`, self}, spec.Args...)
			c := start(t, on(terminal, spec))
			var got strings.Builder
			for buf := make([]byte, 1000); ; runtime.Gosched() {
				n, err := c.Stdout().Read(buf)
				got.Write(buf[:n])
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if got.String() != string(allBytes(size)) {
				t.Fatalf("terminal %d: %d bytes, want %d", terminal, got.Len(), size)
			}
		}
	}
}

// Hundreds of children, many at a time, each with a last line.
func TestLastLineOfMany(t *testing.T) {
	for _, terminal := range []Terminal{StdoutTerminal, FullTerminal} {
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				for range 20 {
					c := start(t, on(terminal, sh("seq 1 300; printf last")))
					got := strings.ReplaceAll(readAll(t, c.Stdout()), "\r", "")
					if !strings.HasPrefix(got, "1\n2\n") || !strings.HasSuffix(got, "\n299\n300\nlast") {
						t.Errorf("terminal %d: output of %d bytes ends with %q", terminal, len(got), got[max(0, len(got)-20):])
					}
				}
			})
		}
		wg.Wait()
	}
}

// The reader stalls for longer than maxAfterExit.
func TestStalledReaderOfTerminal(t *testing.T) {
	t.Parallel()
	for _, terminal := range []Terminal{StdoutTerminal, FullTerminal} {
		c := start(t, on(terminal, sh(`stty -opost <&1; trap '' HUP; sleep 1000 & exec head -c $1 /dev/zero`, strconv.Itoa(kernelHolds))))
		const begin = 1000
		if _, err := io.ReadFull(c.Stdout(), make([]byte, begin)); err != nil {
			t.Fatal(err)
		}
		<-c.Exited()
		stall := time.NewTimer(maxAfterExit + 100*time.Millisecond)
		<-stall.C
		if n := begin + len(readAll(t, c.Stdout())); n != kernelHolds {
			t.Errorf("terminal %d: %d bytes, want %d", terminal, n, kernelHolds)
		}
	}
}

func TestSilentDescendantHoldsTerminal(t *testing.T) {
	t.Parallel()
	for _, terminal := range []Terminal{StdoutTerminal, FullTerminal} {
		c := start(t, on(terminal, sh(`trap '' HUP; sleep 1000 & printf last`)))
		if got := readAll(t, c.Stdout()); got != "last" {
			t.Errorf("terminal %d: output %q", terminal, got)
		}
		end := time.Now()
		<-c.Exited()
		if d := end.Sub(c.exitedAt); d < quietAfterExit {
			t.Errorf("terminal %d: EOF %v after the exit, want %v or more", terminal, d, quietAfterExit)
		}
		if !hasGroup(c.Pid()) {
			t.Errorf("terminal %d: EOF came only when the descendant had ended", terminal)
		}
	}
}

// No other process has the terminal, so EOF follows the exit at once.
func TestEndOfTerminalIsPrompt(t *testing.T) {
	t.Parallel()
	best := time.Hour
	for range 10 {
		c := start(t, on(FullTerminal, sh("echo hi")))
		readAll(t, c.Stdout())
		end := time.Now()
		<-c.Exited()
		best = min(best, end.Sub(c.exitedAt))
	}
	if best >= quietAfterExit {
		t.Errorf("EOF %v after the exit", best)
	}
}

func TestStdoutTerminalIsRaw(t *testing.T) {
	t.Parallel()
	want := "a\nb\n\tc\r\n\x03\x04\x1a\x11\x13" + string(allBytes(3000)) + "no newline"
	file := writeFile(t, want, 0o600)
	if got := output(t, on(StdoutTerminal, sh(`cat "$1"`, file))); got != want {
		t.Errorf("output %q, want %q", got, want)
	}
}

// Input is not echoed, and arrives unchanged.
func TestStdoutTerminalDoesNotEcho(t *testing.T) {
	t.Parallel()
	c := start(t, on(StdoutTerminal, sh(`read x; echo "got $x"; cat >&2`)))
	keys(t, c, "one\n\x03\x04\r\n")
	c.Stdin().Close()
	if got := readAll(t, c.Stdout()); got != "got one\n" {
		t.Errorf("stdout %q", got)
	}
	if got := readAll(t, c.Stderr()); got != "\x03\x04\r\n" {
		t.Errorf("stderr %q", got)
	}
}

// Programs that buffer lines in a pipe send each at once, while they run.
func TestStdoutTerminalFlushesLines(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"python3": {"-c", "for line in iter(input, 'end'): print('<' + line + '>')"},
		"grep":    {"."},
		"sed":     {"s/.*/<&>/"},
		"awk":     {`BEGIN { while (("read x; echo $x" | getline line) > 0) { print "<" line ">"; close("read x; echo $x") } }`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := Spec{Path: wspipetest.Need(t, name), Args: args, Env: []string{"PATH=" + os.Getenv("PATH")}}
			c := start(t, on(StdoutTerminal, spec))
			for _, line := range []string{"one", "zwölf"} {
				keys(t, c, line+"\n")
				if got := readLine(t, c.Stdout()); strings.Trim(got, "<>") != line {
					t.Errorf("got %q, want %q", got, line)
				}
			}
		})
	}
}

// As with a pipe, EOF follows when the child closes it.
func TestChildClosesStdoutTerminal(t *testing.T) {
	t.Parallel()
	c := start(t, on(StdoutTerminal, sh("echo hi; exec >&-; read x; echo still here >&2")))
	if got := readAll(t, c.Stdout()); got != "hi\n" {
		t.Errorf("stdout %q", got)
	}
	if c.hasExited() {
		t.Error("exited with its stdout")
	}
	c.Stdin().Close()
	if got := readAll(t, c.Stderr()); got != "still here\n" {
		t.Errorf("stderr %q", got)
	}
}

func TestStdoutTerminalIsStopped(t *testing.T) {
	t.Parallel()
	marker := filepath.Join(t.TempDir(), "hup")
	c, end := startToEnd(t, on(StdoutTerminal, sh(`trap 'echo >"$1"' HUP; (trap '' INT TERM; sleep 1000) & echo ready; wait`, marker)))
	readLine(t, c.Stdout())
	c.Stdin().Close()
	c.Stop()
	if end.alive() {
		t.Error("alive after Stop")
	}
	if _, err := os.Stat(marker); !os.IsNotExist(err) {
		t.Errorf("there was a hang-up (%v)", err)
	}
}
