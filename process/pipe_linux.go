package process

import (
	"os"
	"syscall"
)

// pipe opens a pipe and returns our end, the writing one if input is true, and the
// child's. Ours is in the runtime's poller. The child's is not, unlike with os.Pipe:
// taking it out again would cost five system calls.
func pipe(input bool) (ourEnd, childEnd *os.File, err error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	our, child := fds[0], fds[1]
	if input {
		our, child = child, our
	}
	if ourEnd, err = newPolledFile(our, "pipe"); err != nil {
		syscall.Close(child)
		return nil, nil, err
	}
	return ourEnd, os.NewFile(uintptr(child), "pipe"), nil
}
