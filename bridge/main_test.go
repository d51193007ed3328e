//go:build unix

package bridge

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen before it fails. It
// bounds a broken run; no test passes sooner or later because of it.
const patience = time.Minute

// lifetime is how long a test may use a connection, which bounds a broken one, too.
const lifetime = 4 * patience

// eventually waits until cond holds, where nothing tells but looking.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	tooLate := time.After(patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-tooLate:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// wait receives from c what must come.
func wait[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("not within %v: %s", patience, what)
		panic("unreachable")
	}
}
