//go:build unix

package listen

import (
	"io/fs"
	"os"
	"syscall"
	"time"
)

// errRefused is what a socket says whose server is gone.
const errRefused = syscall.ECONNREFUSED

// setMode gives a socket that has no file yet the mode that its file will get:
// on Linux, bind takes it from there. Elsewhere it does not, and Chmod comes a
// moment later.
func setMode(fd uintptr, mode fs.FileMode) { syscall.Fchmod(int(fd), uint32(mode.Perm())) }

// lockTimeout is how long lockDir waits for others that hold the lock; who
// keeps it longer has it for another purpose.
const lockTimeout = time.Second

// lockDir keeps other servers out of dir that are about to open a socket, too.
func lockDir(dir string) (unlock func()) {
	d, err := os.Open(dir)
	if err != nil {
		return func() {} // bind will say what is wrong, if anything is
	}
	for end := time.Now().Add(lockTimeout); time.Now().Before(end); {
		if syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != syscall.EWOULDBLOCK {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return func() { d.Close() }
}
