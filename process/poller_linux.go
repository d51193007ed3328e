package process

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// errNoPoller reports that the poller cannot take a descriptor: the kernel limits how
// many descriptors a user has in all epoll(7) instances.
var errNoPoller = errors.New("too many descriptors in epoll, see fs.epoll.max_user_watches")

// newPolledFile makes fd non-blocking and returns it as a file in the runtime's poller.
// It fails if the poller does not take fd, which os.NewFile does not report: then each
// read or write that has to wait would fail. It closes fd on failure.
func newPolledFile(fd int, name string) (*os.File, error) {
	syscall.SetNonblock(fd, true) // otherwise NewFile does not use the poller
	f := os.NewFile(uintptr(fd), name)
	if f.SetDeadline(time.Time{}) != nil {
		f.Close()
		return nil, errNoPoller
	}
	return f, nil
}
