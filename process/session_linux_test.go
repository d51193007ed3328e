package process

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	helpers["moveAway"] = moveAway
}

// moveAway tries to leave its process group for that of a child. It heeds nothing.
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

// A process that makes a session of its own wants to be left alone. The child that
// it had before remains in the old session, here in a process group of its own.
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
			if runs(left) {
				t.Error("its child is alive after Stop")
			}
		})
	}
}
