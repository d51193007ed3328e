package process

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func init() { helpers["parent"] = parent }

// parent starts a child that sleeps and ignores SIGHUP. The arguments are the kind of terminal and
// the user. It prints the child's process ID, waits for its exit and prints that.
func parent() {
	spec := sh("trap '' HUP; exec sleep 1000")
	spec.Terminal = Terminal(must(strconv.Atoi(os.Args[1])))
	if len(os.Args) > 2 {
		spec.User = must(LookupUser(os.Args[2]))
	}
	var c *Child
	onDyingThread(func() { c = must(Start(spec)) })
	fmt.Println(c.Pid())
	fmt.Println(c.Exit())
}

// onDyingThread runs f on a thread that has ended when onDyingThread returns.
func onDyingThread(f func()) {
	threads := make(chan int)
	go func() {
		runtime.LockOSThread()            // never unlocked, so the thread ends with the goroutine
		if unix.Gettid() == os.Getpid() { // the main thread does not end: block it and use another
			defer runtime.UnlockOSThread()
			onDyingThread(f)
			close(threads)
			return
		}
		f()
		threads <- unix.Gettid()
	}()
	if id := <-threads; id != 0 {
		for unix.Tgkill(os.Getpid(), id, 0) == nil {
			runtime.Gosched()
		}
	}
}

func TestChildOutlivesThreadThatStartedIt(t *testing.T) {
	t.Parallel()
	var c *Child
	onDyingThread(func() { c = start(t, helper("echo")) })
	if _, err := io.WriteString(c.Stdin(), "still here\n"); err != nil {
		t.Fatal(err)
	}
	if got := readLine(t, c.Stdout()); got != "still here" {
		t.Errorf("got %q", got)
	}
}

func TestChildDiesWithParent(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"0"}, {"1"}, {"2"}, {"0", "nobody"}, {"2", "nobody"}} {
		if len(args) > 1 && os.Getuid() != 0 {
			continue
		}
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			spec := helper("parent", args...)
			p := start(t, spec)
			child, err := strconv.Atoi(readLine(t, p.Stdout()))
			if err != nil {
				t.Fatal(err)
			}
			fd, err := unix.PidfdOpen(child, 0)
			if err != nil {
				t.Fatalf("the child is gone too early: %v", err)
			}
			defer unix.Close(fd)
			if ended(t, fd, 0) {
				t.Fatal("the child has ended before its parent")
			}
			syscall.Kill(p.Pid(), syscall.SIGKILL) // not the rest of its group
			if !ended(t, fd, 20_000) {
				t.Error("the child lives on")
				unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
			}
		})
	}
}

// ended waits for the end of a process, for at most timeout milliseconds.
func ended(t *testing.T, pidfd, timeout int) bool {
	t.Helper()
	for {
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		switch n, err := unix.Poll(fds, timeout); err {
		case nil:
			return n > 0
		case unix.EINTR:
		default:
			t.Fatal(err)
		}
	}
}
