package bridge

import (
	"runtime"
	"time"
)

// maxTurn is how long who has much to carry keeps a processor. Yielding is not free:
// it wakes a thread that looks for other work.
const maxTurn = time.Millisecond

// turn lets others' lone messages go first now and then. The zero value is ready.
type turn struct{ begun time.Time }

// yield ends the turn if it is over.
func (t *turn) yield() {
	if time.Since(t.begun) > maxTurn {
		runtime.Gosched()
		t.begun = time.Now()
	}
}
