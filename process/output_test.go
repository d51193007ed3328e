//go:build unix

package process

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

func TestLastLineWithoutNewline(t *testing.T) {
	t.Parallel()
	c := start(t, sh(`printf 'one\ntwo'; printf 'three\nfour' >&2`))
	if got := readAll(t, c.Stdout()); got != "one\ntwo" {
		t.Errorf("stdout %q", got)
	}
	if got := readAll(t, c.Stderr()); got != "three\nfour" {
		t.Errorf("stderr %q", got)
	}
}

func TestReadAfterEnd(t *testing.T) {
	t.Parallel()
	c := start(t, sh("echo hi"))
	readAll(t, c.Stdout())
	for range 3 {
		if n, err := c.Stdout().Read(make([]byte, 10)); n != 0 || err != io.EOF {
			t.Errorf("read %d, %v, want EOF", n, err)
		}
	}
}

// As for any io.Reader, a Read of 0 bytes returns at once and discards nothing.
func TestReadOfNothing(t *testing.T) {
	t.Parallel()
	c := start(t, sh("echo hi"))
	<-c.Exited()
	if n, err := c.Stdout().Read(nil); n != 0 || err != nil {
		t.Errorf("read %d, %v, want 0, nil", n, err)
	}
	if got := readAll(t, c.Stdout()); got != "hi\n" {
		t.Errorf("then %q", got)
	}
}

// pipeful is the capacity of a pipe (pipe(7)); on other systems it may be larger.
const pipeful = 64 << 10

// The child has exited before the first Read.
func TestFullPipeOutlivesChild(t *testing.T) {
	t.Parallel()
	c := start(t, sh("head -c $1 /dev/zero", strconv.Itoa(pipeful)))
	<-c.Exited()
	if n := len(readAll(t, c.Stdout())); n != pipeful {
		t.Errorf("%d bytes, want %d", n, pipeful)
	}
}

func TestMuchOutput(t *testing.T) {
	t.Parallel()
	const lines = 200_000
	scan := bufio.NewScanner(start(t, sh("seq $1", strconv.Itoa(lines))).Stdout())
	n := 0
	for scan.Scan() {
		if n++; scan.Text() != strconv.Itoa(n) {
			t.Fatalf("line %d is %q", n, scan.Text())
		}
	}
	if n != lines {
		t.Errorf("%d lines, want %d", n, lines)
	}
}

// A reader that stalls gets everything that the child wrote, even if it stalls for longer
// than maxAfterExit.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	c := start(t, sh("sleep 1000 & head -c $1 /dev/zero", strconv.Itoa(pipeful)))
	const begin = 1000
	if _, err := io.ReadFull(c.Stdout(), make([]byte, begin)); err != nil {
		t.Fatal(err)
	}
	<-c.Exited()
	stall := time.NewTimer(maxAfterExit + 100*time.Millisecond)
	<-stall.C
	if n := begin + len(readAll(t, c.Stdout())); n != pipeful {
		t.Errorf("%d bytes, want %d", n, pipeful)
	}
}

func TestSilentDescendantHoldsOutput(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"stdout", "stderr"} {
		t.Run(output, func(t *testing.T) {
			t.Parallel()
			script := "sleep 1000 2>&- & printf last; sleep 0.2"
			if output == "stderr" {
				script = "sleep 1000 >&- & printf last >&2; sleep 0.2"
			}
			c := start(t, sh(script))
			r := map[string]io.Reader{"stdout": c.Stdout(), "stderr": c.Stderr()}[output]
			if got := readAll(t, r); got != "last" {
				t.Errorf("got %q", got)
			}
			if d := time.Since(c.exitedAt); d < 250*time.Millisecond {
				t.Errorf("EOF %v after the exit, want 250ms or more", d)
			}
			if !hasGroup(c.Pid()) {
				t.Error("EOF came only when the descendant had ended")
			}
		})
	}
}

// Output that a descendant writes after the exit is part of the output, and restarts the
// wait.
func TestDescendantWritesAfterExit(t *testing.T) {
	t.Parallel()
	wspipetest.Tries(t, func() error { // on a busy machine the descendant may write too late
		c := start(t, sh(`exec 3<&0; (while read x; do echo "late $x"; done <&3; exec sleep 1000) & echo first`))
		<-c.Exited()
		if got := readLine(t, c.Stdout()); got != "first" {
			t.Errorf("got %q", got)
		}
		pause := time.NewTicker(100 * time.Millisecond)
		defer pause.Stop()
		for i := range 4 {
			<-pause.C
			fmt.Fprintln(c.Stdin(), i)
			got, err := nextLine(c.Stdout())
			if err != nil {
				return err
			}
			if want := fmt.Sprint("late ", i); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		if rest := readAll(t, c.Stdout()); rest != "" {
			t.Errorf("then %q", rest)
		}
		return nil
	})
}

// The descendant has left the session, so Stop cannot end it, and it never stops writing.
func TestEndlessDescendant(t *testing.T) {
	t.Parallel()
	const lines = 2000
	spec := sh(`"$1" 'echo noise; exec yes noise' & read go; i=0; while [ $i -lt $2 ]; do echo "<own $i>"; i=$((i+1)); done`,
		self, strconv.Itoa(lines))
	spec.Env = helperEnv("setsid")
	c := start(t, spec)
	readLine(t, c.Stdout())
	c.Stdin().Close()
	own := ownLines{}
	buf := make([]byte, 512) // small, so that the pipe is never empty
	if _, err := io.CopyBuffer(&own, c.Stdout(), buf); err != nil {
		t.Error(err)
	}
	if own.n != lines {
		t.Errorf("%d lines of the child, want %d", own.n, lines)
	}
	if d := time.Since(c.exitedAt); d < quietAfterExit { // more unless the descendant must wait for a processor
		t.Errorf("EOF %v after the exit, want %v or more", d, quietAfterExit)
	}
}

// Reading ends even if a descendant writes faster than the reader reads.
func TestRemainingOutputIsBounded(t *testing.T) {
	t.Parallel()
	c := start(t, sh("exec yes"))
	readLine(t, c.Stdout())
	c.stdout.draining, c.stdout.remaining = true, 100
	if got := readAll(t, c.Stdout()); len(got) > 100 {
		t.Errorf("%d bytes, want 100 at most", len(got))
	}
}

// ownLines counts the lines "<own 0>", "<own 1>" and so on that are written to it.
type ownLines struct {
	n    int
	tail string
}

func (o *ownLines) Write(p []byte) (int, error) {
	rest := o.tail + string(p)
	for {
		_, after, found := strings.Cut(rest, fmt.Sprintf("<own %d>", o.n))
		if !found {
			break
		}
		o.n, rest = o.n+1, after
	}
	o.tail = rest[max(0, len(rest)-len("<own 1000000>")):]
	return len(p), nil
}

func TestSilentDescendantThatLeftTheGroup(t *testing.T) {
	t.Parallel()
	spec := sh(`"$1" 'echo $$; exec sleep 1000' & read x; echo last`, self)
	spec.Env = helperEnv("setsid")
	c := start(t, spec)
	pid, err := strconv.Atoi(readLine(t, c.Stdout()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	c.Stdin().Close()
	if got := readAll(t, c.Stdout()); got != "last\n" {
		t.Errorf("then %q", got)
	}
	readAll(t, c.Stderr())
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("the descendant is not there any more: %v", err)
	}
}

func TestChildClosesStdout(t *testing.T) {
	t.Parallel()
	c := start(t, sh("echo hi; exec >&-; read x; echo still here >&2"))
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

// TestAwait: the function is called at the first byte, and not before.
func TestAwait(t *testing.T) {
	t.Parallel()
	c := start(t, sh("read l; echo $l >&2"))
	called := make(chan string, 1)
	c.stderr.Await(func() { called <- readAll(t, c.Stderr()) })
	select {
	case got := <-called:
		t.Fatalf("called for %q", got)
	default:
	}
	io.WriteString(c.Stdin(), "first\n")
	if got := <-called; got != "first\n" {
		t.Errorf("read %q", got)
	}
}

// TestAwaitExit: the function is called at the child's exit, even if a silent descendant
// holds the output open, and even if the exit came before Await.
func TestAwaitExit(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late %t", late), func(t *testing.T) {
			t.Parallel()
			spec := sh(`"$1" 'echo $$; exec sleep 1000' & read x`, self)
			spec.Env = helperEnv("setsid")
			c := start(t, spec)
			pid, err := strconv.Atoi(readLine(t, c.Stdout()))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
			if late {
				c.Stdin().Close()
				eventually(t, "the child is stopped", func() bool { return c.stopped.Load() })
			}
			called := make(chan string, 1)
			c.stderr.Await(func() { called <- readAll(t, c.Stderr()) })
			c.Stdin().Close()
			eventually(t, "the function was called", func() bool { return len(called) > 0 })
			if got := <-called; got != "" {
				t.Errorf("read %q", got)
			}
			if err := syscall.Kill(pid, 0); err != nil {
				t.Errorf("the descendant is not there any more: %v", err)
			}
		})
	}
}
