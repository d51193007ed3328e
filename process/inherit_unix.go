//go:build unix

package process

import (
	"os"
	"os/signal"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Prepare ensures that children inherit neither the open files nor the ignored signals
// that we have inherited, and creates the threads that Start needs. Start calls it; a
// server calls it before it accepts connections. Calls after the first do nothing.
func Prepare() { prepare() }

var prepare = sync.OnceFunc(func() {
	closeInheritedOnExec()
	resetIgnored()
	ReapOrphans()
	startThreads()
})

// closeInheritedOnExec sets the close-on-exec flag of every open file but stdin, stdout
// and stderr. Go sets it on the files that it opens, except on that of the time zone.
func closeInheritedOnExec() {
	_ = time.Local.String() // the first use opens the file
	if closeOnExecFrom(3) == nil {
		return
	}
	entries, _ := os.ReadDir("/dev/fd")
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}

// resetIgnored catches and drops each signal that we ignore, because exec resets a
// caught signal to its default action, but not an ignored one.
func resetIgnored() {
	dropped := make(chan os.Signal, 1)
	for _, sig := range ignoredSignals() {
		signal.Notify(dropped, sig)
	}
}
