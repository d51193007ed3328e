package process

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func init() { helpers["starters"] = inspectStarters }

// inspectStarters starts a child while many files are open. It prints how many threads have few
// descriptors, and whether a listener that was open before is closed.
func inspectStarters() {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	var files [100]*os.File
	for i := range files {
		files[i] = must(os.Open("/dev/null"))
	}
	c := must(Start(sh("exec cat")))
	l.Close()
	_, err := net.Dial("tcp", l.Addr().String())
	few := 0
	for _, dir := range must(filepath.Glob("/proc/self/task/*/fd")) {
		if len(must(os.ReadDir(dir))) < len(files)/2 {
			few++
		}
	}
	runtime.KeepAlive(files)
	c.Stop()
	fmt.Println(few, err != nil)
}

// Fork and exec take time for each descriptor that the thread has.
func TestStartersHoldFewFiles(t *testing.T) {
	t.Parallel()
	if got, want := readLine(t, start(t, helper("starters")).Stdout()), fmt.Sprint(starters, true); got != want {
		t.Errorf("threads with few descriptors, listener closed: %s, want %s", got, want)
	}
}
