//go:build unix

package bridge

import (
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// shell is a child that runs a script of /bin/sh.
type shell struct {
	pipes
	told
	cmd     *exec.Cmd
	grace   time.Duration // between the call of Stop and SIGKILL
	exited  chan struct{}
	stopped sync.Once
}

func startShell(t testing.TB, script string) *shell {
	t.Helper()
	c := &shell{pipes: newPipes(t), cmd: exec.Command("/bin/sh", "-c", script), grace: 100 * time.Millisecond, exited: make(chan struct{})}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = c.far[0], c.far[1], c.far[2]
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range c.far {
		f.Close()
	}
	go func() { // ends with the child; the test calls Stop
		c.cmd.Wait()
		close(c.exited)
	}()
	return c
}

func (c *shell) Pid() int { return c.cmd.Process.Pid }

func (c *shell) Exit() (code int, signal string) {
	<-c.exited
	ws := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		names := map[syscall.Signal]string{syscall.SIGTERM: "TERM", syscall.SIGKILL: "KILL"}
		return 128 + int(ws.Signal()), names[ws.Signal()]
	}
	return ws.ExitStatus(), ""
}

func (c *shell) Stop() {
	c.stopped.Do(func() {
		select {
		case <-c.exited:
		case <-time.After(c.grace):
		}
		syscall.Kill(-c.Pid(), syscall.SIGKILL)
		<-c.exited
	})
}
