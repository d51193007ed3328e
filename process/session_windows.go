package process

import (
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

const canSwitchUser = false

// stopSignal is a signal of the stop sequence. On Windows, kill terminates the job;
// the others send Ctrl-Break to the process group.
type stopSignal int

const (
	interrupt stopSignal = iota
	terminate
	kill
)

// processSession is a job object. It contains the child and its descendants, and the
// system terminates them when our last handle to it is closed, also when we exit.
// Processes that the child starts before it is assigned to the job stay outside.
type processSession struct {
	job *job
	pid uint32
}

// job guards the handle, because the system reuses the number of a closed one, perhaps
// for another child's job.
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

// starter is unused on Windows.
type starter struct{}

func takeStarter() *starter { return nil }

func (*starter) release() {}

func startSession(_ *starter, spec Spec, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	attr.Sys = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
	return os.StartProcess(spec.Path, argv, attr)
}

// newProcessSession assigns p to a new job.
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

// signal always returns nil, also if the session has ended.
func (s processSession) signal(sig stopSignal) error {
	if sig == kill {
		s.kill()
	} else {
		windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, s.pid)
	}
	return nil
}

func (s processSession) kill() {
	s.job.mu.Lock()
	defer s.job.mu.Unlock()
	if s.job.handle != 0 {
		windows.TerminateJobObject(s.job.handle, 1)
	}
}

// ended reports whether the job has no process left.
func (s processSession) ended() bool {
	s.job.mu.Lock()
	defer s.job.mu.Unlock()
	if s.job.handle == 0 {
		return true
	}
	var info jobAccounting
	err := windows.QueryInformationJobObject(s.job.handle, jobBasicAccounting,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)), nil)
	return err != nil || info.activeProcesses == 0
}

// onlyZombies returns false: a job counts running processes only.
func (processSession) onlyZombies() bool { return false }

func (s processSession) close() {
	s.job.mu.Lock()
	defer s.job.mu.Unlock()
	windows.CloseHandle(s.job.handle)
	s.job.handle = 0
}

// readNonblocking returns 0: without deadlines for pipes nothing remains after the end.
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
