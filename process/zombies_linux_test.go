package process

import (
	"bytes"
	"log/slog"
	"strconv"
	"syscall"
	"testing"
)

// Whoever has adopted a process may never reap it: such a zombie, here one
// whose parent has left the group and does not care, holds nothing up.
func TestZombiesDoNotHoldTheGroup(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	gone := make(chan struct{})
	spec := sh(`(true & exec "$1" 'echo $$; exec sleep 1000 2>&1 >/dev/null') & wait`, self)
	spec.Env = helperEnv("setsid")
	spec.Log = slog.New(slog.NewTextHandler(&log, nil))
	spec.OnGone = func() { close(gone) }
	c := start(t, spec)
	pid, err := strconv.Atoi(readLine(t, c.Stdout()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	c.Stop()
	<-gone
	if log.Len() > 0 {
		t.Errorf("log: %s", log.String())
	}
	if c.group.gone() {
		t.Error("there was no zombie: the test shows nothing")
	}
}
