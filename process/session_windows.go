package process

import (
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

const canSwitchUser = false

// stopSignal is a step of the stop ladder. Windows has one polite request, a
// Ctrl-Break for the group, and one that is none.
type stopSignal int

const (
	interrupt stopSignal = iota
	terminate
	kill
)

// processSession is a job object: it holds the child and all its descendants, and ends
// them when our last handle to it is closed, also by our own end. What the
// child starts in the instant before it joins the job stays outside.
type processSession struct {
	job *job
	pid uint32
}

// job keeps others off the handle once it is closed: the system gives its
// number to the next one, maybe another child's job.
type job struct {
	mu     sync.Mutex
	handle windows.Handle // 0 once closed
}

// jobAccounting is JOBOBJECT_BASIC_ACCOUNTING_INFORMATION of winnt.h, and
// jobBasicAccounting its information class.
type jobAccounting struct {
	_                        [4]int64
	_, _, activeProcesses, _ uint32
}

const jobBasicAccounting = 1

func runOnStarter(f func()) { f() }

func startSession(spec Spec, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	attr.Sys = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
	return os.StartProcess(spec.Path, argv, attr)
}

// newProcessSession puts p into a new job.
func newProcessSession(p *os.Process, _ *terminal) (processSession, error) {
	handle, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return processSession{}, err
	}
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(handle, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err == nil {
		handleErr := p.WithHandle(func(h uintptr) { err = windows.AssignProcessToJobObject(handle, windows.Handle(h)) })
		if err == nil {
			err = handleErr
		}
	}
	if err != nil {
		windows.CloseHandle(handle)
		return processSession{}, err
	}
	return processSession{job: &job{handle: handle}, pid: uint32(p.Pid)}, nil
}

// signal never fails: a group that is gone is no error, and others we may end.
func (g processSession) signal(sig stopSignal) error {
	if sig == kill {
		g.kill()
	} else {
		windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, g.pid)
	}
	return nil
}

// send sends sig as a client asked for it.
func (g processSession) send(sig stopSignal) error { return g.signal(sig) }

func (g processSession) kill() {
	g.job.mu.Lock()
	defer g.job.mu.Unlock()
	if g.job.handle != 0 {
		windows.TerminateJobObject(g.job.handle, 1)
	}
}

// ended reports whether the job has no process left.
func (g processSession) ended() bool {
	g.job.mu.Lock()
	defer g.job.mu.Unlock()
	if g.job.handle == 0 {
		return true
	}
	var info jobAccounting
	err := windows.QueryInformationJobObject(g.job.handle, jobBasicAccounting,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)), nil)
	return err != nil || info.activeProcesses == 0
}

// onlyZombies is not needed here: a job counts processes that run.
func (processSession) onlyZombies() bool { return false }

func (g processSession) close() {
	g.job.mu.Lock()
	defer g.job.mu.Unlock()
	windows.CloseHandle(g.job.handle)
	g.job.handle = 0
}

// readNonblocking reads nothing: a pipe here has no deadlines, so nobody asks.
func readNonblocking(*os.File, []byte) int { return 0 }

func signalNamed(name string) (stopSignal, error) {
	switch shortSignal(name) {
	case "INT":
		return interrupt, nil
	case "TERM":
		return terminate, nil
	case "KILL":
		return kill, nil
	}
	return 0, ErrUnsupported
}

func signalName(s syscall.Signal) string { return shortSignal(s.String()) }
