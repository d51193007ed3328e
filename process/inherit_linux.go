package process

import (
	"bytes"
	"math"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// closeOnExecFrom sets the close-on-exec flag of all descriptors from fd on. It requires
// Linux 5.11.
func closeOnExecFrom(fd uint) error {
	return unix.CloseRange(fd, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
}

// ignoredSignals returns the signals that we ignore, the mask SigIgn of
// proc_pid_status(5), without those that os/signal cannot handle: these it resets.
func ignoredSignals() (ignored []os.Signal) {
	status, _ := os.ReadFile("/proc/self/status")
	_, after, _ := bytes.Cut(status, []byte("\nSigIgn:\t"))
	digits, _, _ := bytes.Cut(after, []byte("\n"))
	mask, _ := strconv.ParseUint(string(digits), 16, 64)
	for sig := syscall.Signal(1); mask != 0; sig, mask = sig+1, mask>>1 {
		switch {
		case mask&1 == 0:
		case firstOfLibC <= sig && sig <= lastOfLibC:
			resetSignal(sig)
		default:
			ignored = append(ignored, sig)
		}
	}
	return ignored
}

// os/signal leaves these to the C library (signal(7), nptl(7)). With some versions of
// posix_spawn, which make(1) uses, a process starts with them ignored.
const (
	firstOfLibC = syscall.Signal(32)
	lastOfLibC  = syscall.Signal(34)
)

// resetSignal gives sig its default action (sigaction(2)).
func resetSignal(sig syscall.Signal) {
	var action [8]uint64 // large enough for struct sigaction everywhere: SIG_DFL, no flags, no mask
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, unsafe.Sizeof(action[0]), 0, 0)
}
