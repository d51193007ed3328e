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

// Prepare keeps from children what we have inherited ourselves, open files and
// ignored signals, and creates the threads that we need. Start calls it, too. A
// server calls it before it serves.
func Prepare() { prepare() }

var prepare = sync.OnceFunc(func() {
	closeInheritedOnExec()
	resetIgnored()
	ReapOrphans()
	startThreads()
})

// closeInheritedOnExec keeps every open file but stdin, stdout and stderr from
// children. Go opens its own that way, except those of the local time zone.
func closeInheritedOnExec() {
	_ = time.Local.String() // the first use reads it
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

// resetIgnored gives children the default action of each signal that we ignore.
// They would inherit that, but not that we catch and drop it.
func resetIgnored() {
	dropped := make(chan os.Signal, 1)
	for _, sig := range ignoredSignals() {
		signal.Notify(dropped, sig)
	}
}
