//go:build unix && !linux

package process

import (
	"os"

	"golang.org/x/sys/unix"
)

// newPolledFile makes fd non-blocking and returns it as a file, in the runtime's poller
// if possible. It closes fd on failure.
func newPolledFile(fd int, name string) (*os.File, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}
