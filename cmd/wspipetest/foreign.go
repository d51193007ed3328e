package wspipetest

import (
	"bufio"
	"os/exec"
	"strings"
	"testing"
)

// PythonWebsockets returns the path of a Python that has python3-websockets, a client and server
// that nobody here wrote. Without it the test is skipped, as with Need.
func PythonWebsockets(t testing.TB) string {
	t.Helper()
	const python = "/usr/bin/python3" // Debian's own: it has Debian's modules
	Need(t, python)
	if err := exec.Command(python, "-c", "import websockets").Run(); err != nil {
		Lack(t, "python3-websockets is not installed: run make deps")
	}
	return python
}

// FirstLine starts cmd, which is killed with the test, and returns the first line that it
// writes.
func FirstLine(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}
