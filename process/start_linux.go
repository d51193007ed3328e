package process

import (
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// starters is how many children may be between fork and exec at once. The thread that
// starts one is blocked meanwhile.
const starters = 4

var idleStarters = make(chan *starter, starters)

// spareThreads is how many system calls may block at once before the runtime has to
// create a thread.
const spareThreads = 32

// startThreads creates the starters and the threads that Go's runtime will need. The
// runtime exits if it cannot create a thread, and later on the children may have used up
// the limit of processes.
func startThreads() {
	spare := runtime.GOMAXPROCS(0) + spareThreads
	var running, released sync.WaitGroup
	running.Add(starters + spare)
	var all [starters]*starter
	for i := range all {
		s := &starter{queue: make(chan func()), socket: -1}
		go s.run(running.Done) // never ends
		all[i] = s
	}
	for range spare {
		released.Go(func() { // ends when all threads run, each with one goroutine
			runtime.LockOSThread()
			defer runtime.UnlockOSThread() // the thread remains for other goroutines
			running.Done()
			running.Wait()
		})
	}
	released.Wait()
	for _, s := range all {
		if s.socket >= 0 {
			unix.Close(s.inner) // ours; the thread has its own
		}
		s.release()
	}
}

// starter starts children on a thread that never ends, because the kernel sends the
// parent-death signal when the thread that started the child ends (prctl(2),
// PR_SET_PDEATHSIG). The thread blocks no signals, and children inherit that.
type starter struct {
	queue  chan func()
	socket int // where startProcess sends descriptors to the thread, or -1 if it uses ours
	inner  int // the thread's end
}

// takeStarter waits for a starter, and keeps it for the caller until release.
func takeStarter() *starter { return <-idleStarters }

func (s *starter) release() { idleStarters <- s }

func (s *starter) run(running func()) {
	runtime.LockOSThread() // and so no other thread inherits its signals and descriptors
	unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)
	s.separate()
	running()
	for f := range s.queue {
		f()
	}
}

// startProcess is os.StartProcess on the starter's thread.
func (s *starter) startProcess(path string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	fds := make([]int, len(attr.Files))
	for i, f := range attr.Files {
		fds[i] = int(f.Fd())
	}
	var err error
	if s.socket >= 0 {
		err = unix.Sendmsg(s.socket, []byte{0}, unix.UnixRights(fds...), nil, 0)
	}
	pid := 0
	if err == nil {
		done := make(chan struct{})
		s.queue <- func() {
			defer close(done)
			pid, err = s.fork(path, argv, attr, fds)
		}
		<-done
	}
	runtime.KeepAlive(attr.Files)
	if err != nil {
		return nil, err
	}
	return os.FindProcess(pid)
}

// fork starts the process. It runs on the starter's thread.
func (s *starter) fork(path string, argv []string, attr *os.ProcAttr, fds []int) (pid int, err error) {
	if s.socket >= 0 {
		if fds, err = receiveFiles(s.inner, len(fds)); err != nil {
			return 0, err
		}
	}
	files := make([]uintptr, len(fds))
	for i, fd := range fds {
		files[i] = uintptr(fd)
	}
	pid, _, err = syscall.StartProcess(path, argv, &syscall.ProcAttr{Dir: attr.Dir, Env: attr.Env, Files: files, Sys: attr.Sys})
	if s.socket >= 0 {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	return pid, err
}

// setParentDeathSignal requests that the kernel kill the child when we end.
func setParentDeathSignal(attr *os.ProcAttr) { attr.Sys.Pdeathsig = syscall.SIGKILL }

// onExit calls f in a new goroutine once p has exited, so that a running child takes no
// thread. Without pidfds (before Linux 5.4) it calls f at once, and f blocks a thread.
func onExit(p *os.Process, f func()) {
	if p.WithHandle(func(pidfd uintptr) { onReadable(pidfd, f) }) != nil {
		go f()
	}
}
