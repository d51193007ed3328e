//go:build unix

package wspipetest_test

import (
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

func TestMain(m *testing.M) { os.Exit(wspipetest.Main(m)) }

func dial(t *testing.T, url string) *wspipetest.Client {
	t.Helper()
	return wspipetest.Dial(t, url, nil)
}

// readPid reads the message in which a child says its process ID.
func readPid(t *testing.T, c *wspipetest.Client) int {
	t.Helper()
	return atoi(t, c.Next())
}

// until waits until done reports true. Some things, such as the end of another
// program's child, announce themselves to nobody.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(wspipetest.Patience); !done(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

func gone(pid int) bool { return syscall.Kill(pid, 0) == syscall.ESRCH }

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
