package process

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// errNoPoller is why a descriptor cannot be waited for: the kernel bounds how many
// all epoll(7) instances of a user have.
var errNoPoller = errors.New("epoll takes no more descriptors, see fs.epoll.max_user_watches")

// newPolledFile returns fd, which it makes non-blocking, as a file in the runtime's poller.
// os.NewFile does not tell if it is not there; each read and write that has to wait
// would fail.
func newPolledFile(fd int, name string) (*os.File, error) {
	syscall.SetNonblock(fd, true) // or NewFile does not use the poller
	f := os.NewFile(uintptr(fd), name)
	if f.SetDeadline(time.Time{}) != nil {
		f.Close()
		return nil, errNoPoller
	}
	return f, nil
}
