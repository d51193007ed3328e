//go:build unix && !linux

package process

import (
	"os"

	"golang.org/x/sys/unix"
)

// newPolledFile returns fd, which it makes non-blocking, as a file in the runtime's poller
// if that takes it.
func newPolledFile(fd int, name string) (*os.File, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}
