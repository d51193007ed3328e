package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"wspipe/cmd/wspipetest"
)

func init() { helpers["fewTerminals"] = fewTerminals }

// fewTerminals starts children while one terminal is available, then while none is. It prints the
// errors.
func fewTerminals() {
	devpts := filepath.Join(os.Args[1], "devpts")
	check(unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	check(os.Mkdir(devpts, 0o700))
	check(unix.Mount("devpts", devpts, "devpts", 0, "newinstance,max=1,ptmxmode=0666"))
	check(unix.Mount(devpts, "/dev/pts", "", unix.MS_BIND, ""))
	check(unix.Mount("/dev/pts/ptmx", "/dev/ptmx", "", unix.MS_BIND, ""))
	fmt.Println("one:", CheckTerminal())
	c := must(Start(Spec{Path: "/bin/cat", Terminal: FullTerminal}))
	for _, terminal := range []Terminal{StdoutTerminal, FullTerminal} {
		_, err := Start(Spec{Path: "/bin/cat", Terminal: terminal})
		fmt.Println("another:", err, errors.Is(err, syscall.ENOSPC))
	}
	fmt.Println("another:", CheckTerminal())
	c.Stop()
	check(unix.Mount("tmpfs", "/dev", "tmpfs", 0, ""))
	_, err := Start(Spec{Path: "/bin/cat", Terminal: FullTerminal})
	fmt.Println("none:", err)
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func TestNoTerminalAvailable(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(self, t.TempDir())
	cmd.Env = helperEnv("fewTerminals")
	wspipetest.NeedNamespaces(t, "mount")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const another = `another: start "/bin/cat": no terminal available (open /dev/ptmx: no space left on device) true` + "\n"
	want := "one: <nil>\n" + another + another +
		"another: open terminal: open /dev/ptmx: no space left on device\n" +
		`none: start "/bin/cat": no terminal available (open /dev/ptmx: no such file or directory)` + "\n"
	if string(out) != want {
		t.Errorf("got:\n%s\nwant:\n%s", out, want)
	}
}

// Reads from a terminal wait in the runtime's poller.
func TestIdleTerminalsCostNoThreads(t *testing.T) {
	checkDescriptors(t)
	start(t, Spec{Path: "/bin/cat", Terminal: FullTerminal}) // creates the threads that one child needs
	before := threads(t)
	var readers sync.WaitGroup
	children := make([]*Child, 60)
	for i := range children {
		children[i] = start(t, Spec{Path: "/bin/cat", Terminal: Terminal(1 + i%2)})
		readers.Go(func() { readAll(t, children[i].Stdout()) })
	}
	if more := threads(t) - before; more > len(children)/4 {
		t.Errorf("%d terminals cost %d threads", len(children), more)
	}
	for _, c := range children {
		c.Stdin().Close()
	}
	readers.Wait()
}
