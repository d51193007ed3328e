package wspipetest

import (
	"testing"
	"time"
)

// Lifetime is how long a test may use a connection, which bounds a broken one, too.
const Lifetime = 4 * Patience

// Eventually waits until cond holds, where nothing tells but looking.
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	tooLate := time.After(Patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-tooLate:
			t.Fatalf("not within %v: %s", Patience, what)
		}
	}
}

// Wait receives from c what must come.
func Wait[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(Patience):
		t.Fatalf("not within %v: %s", Patience, what)
		panic("unreachable")
	}
}
