//go:build unix

package server

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// errRefused is what a socket says whose server is gone.
const errRefused = syscall.ECONNREFUSED

var umask sync.Mutex // guards the process's own

// bindPrivate makes a socket file that is nobody else's from its first moment.
func bindPrivate(path string) (*net.UnixListener, error) {
	umask.Lock()
	defer umask.Unlock()
	defer syscall.Umask(syscall.Umask(0o177))
	return net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
}

// lockPatience is how long lockDir waits for others that hold the lock; who
// keeps it longer has it for another purpose.
const lockPatience = time.Second

// lockDir keeps other servers out of dir that are about to open a socket, too.
func lockDir(dir string) (unlock func()) {
	d, err := os.Open(dir)
	if err != nil {
		return func() {} // bind will say what is wrong, if anything is
	}
	for end := time.Now().Add(lockPatience); time.Now().Before(end); {
		if syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != syscall.EWOULDBLOCK {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return func() { d.Close() }
}
