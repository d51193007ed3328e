package process

import (
	"os"
	"syscall"
)

// pipe opens a pipe of which we have one end, the writing one for input. Ours is
// in the runtime's poller. The child's is not: os.Pipe puts it there, only for it
// to be taken out again, which costs five system calls.
func pipe(input bool) (ours, childs *os.File, err error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	our, child := fds[0], fds[1]
	if input {
		our, child = child, our
	}
	if ours, err = newPolledFile(our, "pipe"); err != nil {
		syscall.Close(child)
		return nil, nil, err
	}
	return ours, os.NewFile(uintptr(child), "pipe"), nil
}
