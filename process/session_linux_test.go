package process

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"wspipe/cmd/wspipetest"
)

func init() {
	helpers["moveAway"] = moveAway
	helpers["leaveForeground"] = leaveForeground
	helpers["reuseForeground"] = reuseForeground
}

// moveAway tries to move to the process group of a child. It ignores SIGINT and SIGTERM.
func moveAway() {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	syscall.Setpgid(0, cmd.Process.Pid)
	fmt.Println("ready")
	cmd.Wait()
	io.ReadAll(os.NewFile(uintptr(must(unix.Eventfd(0, 0))), "never"))
}

func TestLeaderThatMovesAwayIsStopped(t *testing.T) {
	t.Parallel()
	for _, terminal := range everyTerminal {
		t.Run(fmt.Sprint(terminal), func(t *testing.T) {
			t.Parallel()
			c, end := startToEnd(t, on(terminal, helper("moveAway")))
			for readTTYLine(t, c.Stdout()) != "ready" {
			}
			c.Stop()
			if end.alive() {
				t.Error("alive after Stop")
			}
		})
	}
}

// A process that calls setsid(2) keeps running. A child that it had before stays in the old
// session, here in its own process group.
func TestSessionOfItsOwnOutlivesStop(t *testing.T) {
	t.Parallel()
	spec := sh(`(timeout 1000 sleep 1000 & exec "$1" "echo $! "'$$; exec sleep 1000') & read x`, self)
	spec.Env = helperEnv("setsid")
	for _, terminal := range everyTerminal {
		t.Run(fmt.Sprint(terminal), func(t *testing.T) {
			t.Parallel()
			c := start(t, on(terminal, spec))
			var left, own int
			if _, err := fmt.Sscan(readTTYLine(t, c.Stdout()), &left, &own); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { syscall.Kill(own, syscall.SIGKILL) })
			c.Stdin().Close()
			c.Stop()
			if err := syscall.Kill(own, 0); err != nil {
				t.Errorf("it is not there any more: %v", err)
			}
			if isRunning(left) {
				t.Error("its child is alive after Stop")
			}
		})
	}
}

// leaveForeground makes a child the foreground of its terminal, and does not undo that after the
// child has ended. It prints the child's ID.
func leaveForeground() {
	cmd := exec.Command("true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Foreground: true}
	if err := cmd.Run(); err != nil {
		panic(err)
	}
	fmt.Println(cmd.Process.Pid)
	io.Copy(io.Discard, os.Stdin)
}

// reuseForeground, process 1 of a PID namespace, sends signals to the foreground of
// leaveForeground after another process has got its ID, and prints whether that process survives.
func reuseForeground() {
	check(unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	check(unix.Mount("proc", "/proc", "proc", 0, ""))
	c := must(Start(on(FullTerminal, helper("leaveForeground"))))
	id := must(strconv.Atoi(strings.TrimSpace(must(nextLine(c.Stdout())))))
	check(os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(id-1)), 0))
	other := exec.Command("cat")
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin := must(other.StdinPipe())
	check(other.Start())
	if other.Process.Pid != id {
		panic("the ID was not reused")
	}
	fmt.Println(c.Signal("TERM"), c.Signal("KILL"))
	stdin.Close()
	fmt.Println(other.Wait())
	c.Stop()
}

// A terminal still names a foreground group that has ended. Its ID may have been reused.
func TestSignalSparesReusedGroup(t *testing.T) {
	t.Parallel()
	wspipetest.NeedNamespaces(t, "pid", "fork", "mount-proc")
	cmd := exec.Command(self)
	cmd.Env = helperEnv("reuseForeground")
	usedHelpers.Store("leaveForeground", true)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if want := "<nil> <nil>\n<nil>\n"; err != nil || string(out) != want {
		t.Errorf("%v, output %q, want %q", err, out, want)
	}
}
