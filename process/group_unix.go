//go:build unix

package process

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const canSwitchUser = true

// stopSignal is a step of the stop ladder.
type stopSignal = syscall.Signal

const (
	interrupt = syscall.SIGINT
	terminate = syscall.SIGTERM
	kill      = syscall.SIGKILL
)

// group is a process group. It is named by the process ID of its leader, which
// the kernel does not give away while the group has members.
type group struct{ id int }

// startGroup starts argv as the leader of a new process group. It runs on a
// starter's thread.
func startGroup(spec Spec, argv []string, attr *os.ProcAttr) (*os.Process, func() Exit, error) {
	attr.Sys = &syscall.SysProcAttr{Setpgid: true}
	if u := spec.User; u != nil {
		attr.Sys.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
	}
	return startWatched(spec.Path, argv, attr)
}

func groupOf(p *os.Process) (group, error) { return group{id: p.Pid}, nil }

// signal sends sig to every member. A group that is gone is no error.
func (g group) signal(sig stopSignal) { syscall.Kill(-g.id, sig) }

func (g group) kill() { g.signal(kill) }

// gone reports whether the group has no member left. Call it only once the
// leader has been reaped.
func (g group) gone() bool {
	// Orphans come to us if we are init, as in a container: reap ours, or the
	// group stays for ever. Elsewhere this fails with ECHILD.
	for {
		pid, err := syscall.Wait4(-g.id, nil, syscall.WNOHANG, nil)
		if pid <= 0 || err != nil {
			break
		}
	}
	return errors.Is(syscall.Kill(-g.id, 0), syscall.ESRCH)
}

func (g group) close() {}

// readNow reads what the pipe f holds, and nothing if that is nothing.
func readNow(f *os.File, p []byte) (n int) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0
	}
	raw.Read(func(fd uintptr) bool {
		for err = syscall.EINTR; err == syscall.EINTR; {
			n, err = syscall.Read(int(fd), p) // -1 with EAGAIN
		}
		return true
	})
	return max(n, 0)
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return shortSignal(name)
	}
	return strconv.Itoa(int(s)) // a real-time signal
}
