package wspipetest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
)

// TestNoTerminalHere: where there are no terminals, wspipe says so before it
// serves one.
func TestNoTerminalHere(t *testing.T) {
	t.Parallel()
	unshare := wspipetest.Need(t, "unshare")
	wspipetest.NeedNamespaces(t, "mount")
	for _, flag := range []string{"--pty", "--line-buffered"} {
		cmd := exec.Command(unshare, "--mount", "sh", "-c", `mount --bind /dev/null /dev/ptmx && exec "$0" "$@"`,
			wspipetest.Binary(t), "--port=0", flag, "cat")
		cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
		out, err := cmd.CombinedOutput()
		if status := exitStatus(t, err); status != 2 || !strings.HasPrefix(string(out), "wspipe: --pty and --line-buffered require terminals, which are not available here: ") {
			t.Errorf("%s: status %d, %s", flag, status, out)
		}
	}
}
