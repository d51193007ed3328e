package server

import (
	"math"
	"runtime/debug"
	"sync"
)

// ballastSize is the size of the ballast: memory that the garbage collector counts as used. A
// collection starts once there is as much garbage as used memory, or 4 MiB if little is used.
// Without the ballast that is after a hundred connections, and takes 6 % of their CPU time.
// Nothing is written to the ballast, so the system provides no memory for it.
const ballastSize = 8 << 20

// ballast returns the ballast, always the same. It is nil if GOMEMLIMIT limits the memory, which
// would include it.
var ballast = sync.OnceValue(func() []byte {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return nil
	}
	return make([]byte, ballastSize)
})
