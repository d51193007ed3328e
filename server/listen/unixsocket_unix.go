//go:build unix

package listen

import (
	"io/fs"
	"os"
	"syscall"
	"time"
)

// errRefused is the error of connecting to a socket whose server has ended.
const errRefused = syscall.ECONNREFUSED

// setMode sets the mode of a socket before bind. On Linux, bind creates the file with that
// mode. On other systems it does not, and Chmod follows.
func setMode(fd uintptr, mode fs.FileMode) { syscall.Fchmod(int(fd), uint32(mode.Perm())) }

// lockTimeout bounds how long lockDir waits. A process that holds the lock for longer does
// so for another purpose.
const lockTimeout = time.Second

// lockDir excludes other servers that are about to open a socket in dir. On failure it does
// nothing.
func lockDir(dir string) (unlock func()) {
	d, err := os.Open(dir)
	if err != nil {
		return func() {} // bind reports the error, if it matters
	}
	for end := time.Now().Add(lockTimeout); time.Now().Before(end); {
		if syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != syscall.EWOULDBLOCK {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return func() { d.Close() }
}
