package wire

import (
	"runtime"
	"time"
)

// maxSlice bounds how long a busy stream runs before it yields. Yielding wakes a thread
// that looks for other work, so it must not be frequent.
const maxSlice = time.Millisecond

// TimeSlice makes a busy goroutine yield now and then, so that others' single messages
// need not wait for it. The zero value is ready for use.
type TimeSlice struct{ begun time.Time }

// Yield lets other goroutines run if the time slice is over.
func (t *TimeSlice) Yield() {
	if time.Since(t.begun) > maxSlice {
		runtime.Gosched()
		t.begun = time.Now()
	}
}
