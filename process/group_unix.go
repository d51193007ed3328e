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

// group is a process group, or a whole session. It is named by the process ID
// of its leader, which the kernel does not give away while it has members.
type group struct {
	id       int
	terminal *terminal // the session's; nil for a group alone
}

// startGroup starts argv as the leader of a new process group, and session if
// it gets a controlling terminal. It runs on a starter's thread.
func startGroup(spec Spec, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	attr.Sys = &syscall.SysProcAttr{Setpgid: true}
	if spec.Terminal == FullTerminal { // who leads a session leads a group, and may not ask for one: setpgid(2), EPERM
		attr.Sys = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	}
	if u := spec.User; u != nil {
		attr.Sys.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
	}
	dieWithUs(attr)
	return os.StartProcess(spec.Path, argv, attr)
}

func groupOf(p *os.Process, t *terminal) (group, error) { return group{id: p.Pid, terminal: t}, nil }

// maxLooks is how often signal looks for a job that was started while it was
// looking.
const maxLooks = 100

// signal sends sig to every member.
func (g group) signal(sig stopSignal) {
	g.send(sig)
	if g.terminal == nil {
		return
	}
	signalled := map[int]bool{}
	for range maxLooks {
		before := len(signalled)
		for _, id := range g.jobs() {
			if !signalled[id] {
				signalled[id] = true
				group{id: id}.send(sig)
			}
		}
		if len(signalled) == before {
			return
		}
	}
}

// send sends sig to the group alone. A group that is gone is no error.
func (g group) send(sig stopSignal) error {
	err := syscall.Kill(-g.id, sig)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

func (g group) kill() { g.signal(kill) }

// gone reports whether no member is left. Call it only once the leader has been
// reaped.
func (g group) gone() bool {
	return g.left() && (g.terminal == nil || g.jobsGone())
}

// jobsGone looks for jobs, but only once the one that it saw last has gone.
func (g group) jobsGone() bool {
	if seen := int(g.terminal.job.Load()); g.has(seen) && !(group{id: seen}).left() {
		return false
	}
	for _, id := range g.jobs() {
		if !(group{id: id}).left() {
			g.terminal.job.Store(int64(id))
			return false
		}
	}
	return true
}

// has reports whether the process is a member.
func (g group) has(pid int) bool {
	if pid == 0 { // would be ourselves
		return false
	}
	if g.terminal != nil {
		sid, err := unix.Getsid(pid)
		return err == nil && sid == g.id
	}
	id, err := unix.Getpgid(pid)
	return err == nil && id == g.id
}

// left reports whether every member of the group alone has gone.
func (g group) left() bool {
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
