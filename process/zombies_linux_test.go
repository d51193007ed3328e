package process

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"testing"
)

func init() {
	helpers["headless"] = headless
	if os.Getenv(helperVar) == "headless" {
		runtime.LockOSThread() // headless has to run on the main thread
	}
}

// headless looks like a zombie but is none: its main thread ends, while another runs. It ignores
// SIGINT and SIGTERM.
func headless() {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
	go func() {
		for !bytes.Contains(must(os.ReadFile("/proc/self/stat")), []byte(") Z ")) {
			runtime.Gosched()
		}
		fmt.Println("headless")
	}()
	syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0)
}

func TestProcessWithoutMainThreadIsNoZombie(t *testing.T) {
	t.Parallel()
	spec := sh(`"$1" & read go`, self)
	spec.Env = helperEnv("headless")
	c, end := startToEnd(t, spec)
	readLine(t, c.Stdout())
	c.Stdin().Close()
	c.Stop()
	if end.alive() {
		t.Error("alive after Stop")
	}
}

// A process outside the session may have a child in the session and never reap it. Such a zombie
// delays nothing.
func TestZombiesDoNotDelayStop(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	gone := make(chan struct{})
	spec := sh(`(true & exec "$1" 'echo $$; exec sleep 1000 2>&1 >/dev/null') & wait`, self)
	spec.Env = helperEnv("setsid")
	spec.Log = slog.New(slog.NewTextHandler(&log, nil))
	spec.OnSessionEnd = func() { close(gone) }
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
	if c.session.ended() {
		t.Error("there was no zombie: the test shows nothing")
	}
}
