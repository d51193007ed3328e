package process

import (
	"bytes"
	"math"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// closeOnExecFrom needs Linux 5.11.
func closeOnExecFrom(fd uint) error {
	return unix.CloseRange(fd, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
}

// ignoredSignals are those of the mask SigIgn in proc_pid_status(5).
func ignoredSignals() (ignored []os.Signal) {
	status, _ := os.ReadFile("/proc/self/status")
	_, after, _ := bytes.Cut(status, []byte("\nSigIgn:\t"))
	digits, _, _ := bytes.Cut(after, []byte("\n"))
	mask, _ := strconv.ParseUint(string(digits), 16, 64)
	for sig := syscall.Signal(1); mask != 0; sig, mask = sig+1, mask>>1 {
		if mask&1 != 0 {
			ignored = append(ignored, sig)
		}
	}
	return ignored
}
