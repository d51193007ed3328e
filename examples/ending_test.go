//go:build unix

package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

// running is an example without wspipe, in the environment that wspipe gives.
type running struct {
	ctx           context.Context // kills it when the test's patience ends
	cmd           *exec.Cmd
	stdin, stdout *os.File
	stderr        bytes.Buffer
}

// run starts a command, sends it input and returns when it has answered.
func run(t *testing.T, input, command string, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wspipetest.Patience)
	t.Cleanup(cancel)
	childIn, stdin, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, childOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); stdout.Close() })
	r := &running{ctx: ctx, cmd: exec.CommandContext(ctx, command, args...), stdin: stdin, stdout: stdout}
	r.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // as wspipe does
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = childIn, childOut, &r.stderr
	r.cmd.WaitDelay = time.Second
	err = errors.Join(r.cmd.Start(), childIn.Close(), childOut.Close(), stdout.SetReadDeadline(time.Now().Add(wspipetest.Patience)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stdin.WriteString(input); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatalf("no answer: %q, %v", line, err)
	}
	return r
}

// wantEnd wants r, and whatever it has started, to end without a word on
// stderr. It returns r's exit status, -1 for a signal.
func (r *running) wantEnd(t *testing.T) int {
	t.Helper()
	err := r.cmd.Wait() // also waits until nobody holds stderr
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited || r.ctx.Err() != nil {
		t.Errorf("it did not end by itself: %v", errors.Join(err, r.ctx.Err()))
	}
	if r.stderr.Len() > 0 {
		t.Errorf("on stderr:\n%s", &r.stderr)
	}
	return r.cmd.ProcessState.ExitCode()
}

// endless is every example as it runs on for long, with what makes it answer.
var endless = []struct{ name, arg, input string }{
	{"bash/count.sh", "100000", ""},
	{"bash/greeter.sh", "", "Ada\n"},
	{"bash/logtail.sh", "examples_test.go", ""},
	{"bash/chat.sh", "ROOM", "Ada\n"},
	{"python/count.py", "1000", ""},
	{"python/greeter.py", "", "Ada\n"},
	{"python/sysmon.py", "1000", ""},
	{"node/count.js", "1000", ""},
	{"node/greeter.js", "", "Ada\n"},
	{"bash/muxchat.sh", "", oneClient},
	{"python/muxchat.py", "", oneClient},
	{"node/muxchat.js", "", oneClient},
	{"perl/count.pl", "1000", ""},
	{"perl/greeter.pl", "", "Ada\n"},
	{"php/count.php", "1000", ""},
	{"php/greeter.php", "", "Ada\n"},
	{"ruby/count.rb", "1000", ""},
	{"ruby/greeter.rb", "", "Ada\n"},
	{"lua/count.lua", "1000", ""},
	{"lua/greeter.lua", "", "Ada\n"},
	{"go/count", "1000", ""},
	{"go/greeter", "", "Ada\n"},
	{"c/count", "1000", ""},
	{"c/greeter", "", "Ada\n"},
}

// oneClient is what a chat room of --share=mux is told of a client.
const oneClient = `{"event":"open","client":"1","env":{"QUERY_STRING":""}}` + "\n"

// TestEnding wants every example to end at once, however wspipe asks it to.
func TestEnding(t *testing.T) {
	t.Parallel()
	for _, x := range endless {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			command := example(t, x.name)
			arg := x.arg
			if arg == "ROOM" {
				arg = filepath.Join(t.TempDir(), "room.txt")
			}
			t.Run("end of input", func(t *testing.T) {
				if x.input == "" && x.name != "bash/logtail.sh" {
					return // it reads nothing, and ends by the signal that follows
				}
				r := run(t, x.input, command, arg)
				r.stdin.Close()
				r.wantStdoutClosed(t)
				if status := r.wantEnd(t); status != 0 {
					t.Errorf("exit status %d", status)
				}
			})
			for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
				t.Run(sig.String(), func(t *testing.T) {
					r := run(t, x.input, command, arg)
					if err := syscall.Kill(-r.cmd.Process.Pid, sig); err != nil {
						t.Fatal(err)
					}
					r.wantStdoutClosed(t)
					r.wantEnd(t)
				})
			}
		})
	}
}

// wantStdoutClosed wants every process that could write to stdout to be gone.
func (r *running) wantStdoutClosed(t *testing.T) {
	t.Helper()
	if _, err := io.Copy(io.Discard, r.stdout); err != nil {
		t.Errorf("something runs on: %v", err)
	}
}

// prod makes a program answer until it has ended: once need not be enough, for a
// process that is being forked by another test holds its stdout open for a moment.
func (r *running) prod(input string) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := r.stdin.WriteString(input); err != nil || input == "" {
			return
		}
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			return
		}
	}
}

// TestNobodyReads wants an example that writes to a closed stdout to end
// without a word. The chat and the log tail leave that to their stdin.
func TestNobodyReads(t *testing.T) {
	t.Parallel()
	for _, x := range endless {
		if x.name == "bash/chat.sh" || x.name == "bash/logtail.sh" {
			continue
		}
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			r := run(t, x.input, example(t, x.name), x.arg)
			r.stdout.Close()
			go r.prod(x.input)
			r.wantEnd(t)
		})
	}
}
