package wire

import (
	"runtime"
	"time"
)

// maxSlice is how long who has much to carry keeps a processor. Yielding is not free:
// it wakes a thread that looks for other work.
const maxSlice = time.Millisecond

// TimeSlice lets others' lone messages go first now and then. The zero value is ready.
type TimeSlice struct{ begun time.Time }

// Yield ends the turn if it is over.
func (t *TimeSlice) Yield() {
	if time.Since(t.begun) > maxSlice {
		runtime.Gosched()
		t.begun = time.Now()
	}
}
