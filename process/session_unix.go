//go:build unix

package process

import (
	"cmp"
	"errors"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const canSwitchUser = true

// stopSignal is a signal of the stop sequence.
type stopSignal = syscall.Signal

const (
	interrupt = syscall.SIGINT
	terminate = syscall.SIGTERM
	kill      = syscall.SIGKILL
)

// processSession is the process session that a child leads, with all of its process
// groups. Its ID is the process ID of its leader, which the kernel does not reuse
// while the session has members.
type processSession struct {
	id       int
	terminal *terminal // its controlling terminal, or nil
}

// startSession starts argv as the leader of a new process session.
func startSession(by *starter, spec Spec, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	attr.Sys = &syscall.SysProcAttr{Setsid: true, Setctty: spec.Terminal == FullTerminal} // Ctty is stdin
	if u := spec.User; u != nil {
		attr.Sys.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
	}
	setParentDeathSignal(attr)
	return by.startProcess(spec.Path, argv, attr)
}

func newProcessSession(p *os.Process, t *terminal) (processSession, error) {
	return processSession{id: p.Pid, terminal: t}, nil
}

// maxSignalRounds bounds how often signal looks again for process groups that were
// made in the meantime.
const maxSignalRounds = 100

// signal sends sig to every process of the session. It returns an error if we may
// signal no member of one of its process groups.
func (s processSession) signal(sig stopSignal) error {
	err := signalGroup(s.id, sig)
	signalled := map[int]bool{}
	for range maxSignalRounds {
		before := len(signalled)
		for _, id := range s.otherGroups() {
			if !signalled[id] {
				signalled[id] = true
				err = cmp.Or(err, signalGroup(id, sig))
			}
		}
		if len(signalled) == before {
			break
		}
	}
	return err
}

// signalGroup sends sig to a process group. It returns nil if the group has ended.
func signalGroup(id int, sig stopSignal) error {
	err := syscall.Kill(-id, sig)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

func (s processSession) kill() { s.signal(kill) }

func (s processSession) close() {}

// readNonblocking reads from the pipe or terminal f without waiting. It returns 0 if
// nothing can be read.
func readNonblocking(f *os.File, p []byte) (n int) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0
	}
	raw.Control(func(fd uintptr) { // raw.Read would fail after the deadline
		for err = syscall.EINTR; err == syscall.EINTR; {
			n, err = syscall.Read(int(fd), p) // -1 with EAGAIN
		}
	})
	return max(n, 0)
}

var errNoSignal = errors.New("no such signal")

func signalNamed(name string) (stopSignal, error) {
	if sig := unix.SignalNum("SIG" + shortSignal(name)); sig != 0 {
		return sig, nil
	}
	return 0, errNoSignal
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return shortSignal(name)
	}
	return strconv.Itoa(int(s)) // a real-time signal
}
