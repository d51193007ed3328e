package wspipetest_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"wspipe/cmd/wspipetest"
)

// inherited prints the signals that the program ignores or blocks, and its open
// files: the fourth is ls's own.
const inherited = `grep -E '^Sig(Blk|Ign)' /proc/self/status; exec ls /proc/self/fd`

// startEncumbered starts wspipe with an open file, ignored and blocked signals.
func startEncumbered(t *testing.T, args ...string) *wspipetest.Server {
	t.Helper()
	cmd := exec.Command("env", append([]string{"--ignore-signal=HUP,TSTP,TTIN,TTOU", "--block-signal=USR1,TERM",
		"nice", "-n0", wspipetest.Binary(t), "--port=0"}, args...)...) // env itself would take the = in its path for a variable's
	cmd.ExtraFiles = []*os.File{os.Stdin}
	return wspipetest.StartCommand(t, cmd)
}

// A child inherits none of what wspipe has inherited.
func TestChildInheritsNothing(t *testing.T) {
	t.Parallel()
	bash := wspipetest.Need(t, "bash") // sh may unblock all signals
	const want = "SigBlk: 0000000000000000 SigIgn: 0000000000000000 0 1 2 3"
	for _, flags := range [][]string{nil, {"--pty"}, {"--line-buffered"}, {"--user=nobody", "--cwd=/"}, {"--user=nobody", "--cwd=/", "--pty"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			t.Parallel()
			if len(flags) > 0 && flags[0] == "--user=nobody" && os.Getuid() != 0 {
				wspipetest.Lack(t, "only root can switch user")
			}
			s := startEncumbered(t, append(flags, bash, "-c", inherited)...)
			s.Signal(syscall.SIGHUP) // is ignored, as before
			messages := dial(t, s.WS).ExpectEnd(1000, "exit 0")
			if got := strings.Join(strings.Fields(strings.Join(messages, " ")), " "); got != want {
				t.Errorf("the child has %q, want %q", got, want)
			}
		})
	}
}

// Nor does a CGI program, which can open its files as any other child.
func TestProgramInheritsNothing(t *testing.T) {
	t.Parallel()
	flags, script := []string{}, "#!"+wspipetest.Need(t, "bash")+"\nprintf 'Content-Type: text/plain\\n\\n' >/dev/stdout; cat </dev/stdin; "+inherited
	dir := t.TempDir()
	if os.Getuid() == 0 {
		flags, dir = []string{"--user=nobody"}, unprivilegedDir(t)
	}
	wspipetest.WriteMode(t, filepath.Join(dir, "run"), script, 0o755)
	s := startEncumbered(t, append(flags, "--cgidir="+dir, "--dir="+dir)...)
	resp, err := http.Post("http"+strings.TrimPrefix(s.WS, "ws")+"run", "text/plain", strings.NewReader("body\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if got, want := strings.Join(strings.Fields(string(body)), " "), "body SigBlk: 0000000000000000 SigIgn: 0000000000000000 0 1 2 3"; got != want || err != nil {
		t.Errorf("body %q, want %q (%v)", got, want, err)
	}
}
