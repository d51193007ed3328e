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

// stopSignal is a step of the stop ladder.
type stopSignal = syscall.Signal

const (
	interrupt = syscall.SIGINT
	terminate = syscall.SIGTERM
	kill      = syscall.SIGKILL
)

// processSession is the process session that a child leads, with all of its process
// groups. It is named by the process ID of its leader, which the kernel does not
// give away while it has members.
type processSession struct {
	id       int
	terminal *terminal // the controlling one, or nil
}

// startSession starts argv as the leader of a new process session. It runs on a
// starter's thread.
func startSession(spec Spec, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	attr.Sys = &syscall.SysProcAttr{Setsid: true, Setctty: spec.Terminal == FullTerminal} // Ctty is stdin
	if u := spec.User; u != nil {
		attr.Sys.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
	}
	setParentDeathSignal(attr)
	return os.StartProcess(spec.Path, argv, attr)
}

func newProcessSession(p *os.Process, t *terminal) (processSession, error) {
	return processSession{id: p.Pid, terminal: t}, nil
}

// maxSignalRounds is how often signal looks for a process group that was made while it
// was looking.
const maxSignalRounds = 100

// signal sends sig to every member. The error is of a process group none of
// whose members we may signal.
func (g processSession) signal(sig stopSignal) error {
	err := g.send(sig)
	signalled := map[int]bool{}
	for range maxSignalRounds {
		before := len(signalled)
		for _, id := range g.otherGroups() {
			if !signalled[id] {
				signalled[id] = true
				err = cmp.Or(err, processSession{id: id}.send(sig))
			}
		}
		if len(signalled) == before {
			break
		}
	}
	return err
}

// send sends sig to the leader's process group alone. A group that is gone is no
// error.
func (g processSession) send(sig stopSignal) error {
	err := syscall.Kill(-g.id, sig)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

func (g processSession) kill() { g.signal(kill) }

func (g processSession) close() {}

// readNonblocking reads what the pipe f holds, and nothing if that is nothing.
func readNonblocking(f *os.File, p []byte) (n int) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0
	}
	raw.Control(func(fd uintptr) { // Read would heed the deadline
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
