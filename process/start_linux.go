package process

import (
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

var (
	starterQueue  = make(chan func())
	startStarters = sync.OnceFunc(func() {
		for range starters {
			go starter()
		}
	})
)

// starters is how many children may be between fork and exec at once: there
// the thread that starts one has to wait.
const starters = 4

// starter runs on a thread of its own and never ends: the parent-death signal
// follows the thread that started the child, not the process (prctl(2),
// PR_SET_PDEATHSIG).
func starter() {
	runtime.LockOSThread()
	for f := range starterQueue {
		f()
	}
}

// onStarter runs f on a starter's thread.
func onStarter(f func()) {
	startStarters()
	done := make(chan struct{})
	starterQueue <- func() { defer close(done); f() }
	<-done
}

// startWatched starts argv such that it dies with us, and returns what waits
// for its end.
func startWatched(path string, argv []string, attr *os.ProcAttr) (*os.Process, func() Exit, error) {
	pidfd := -1
	attr.Sys.Pdeathsig = syscall.SIGKILL
	attr.Sys.PidFD = &pidfd
	p, err := os.StartProcess(path, argv, attr)
	if err != nil {
		return nil, nil, err
	}
	return p, func() Exit { return waitPolled(p, pidfd) }, nil
}

// waitPolled waits for p through its pidfd in the runtime's poller, so that a
// waiting child costs a goroutine, not a thread. Without pidfds (Linux before
// 5.4) it blocks a thread.
func waitPolled(p *os.Process, pidfd int) Exit {
	if pidfd >= 0 {
		unix.SetNonblock(pidfd, true) // or NewFile does not use the poller
		f := os.NewFile(uintptr(pidfd), "pidfd")
		defer f.Close()
		if raw, err := f.SyscallConn(); err == nil {
			raw.Read(readable)
		}
	}
	state, _ := p.Wait()
	return exitOf(state)
}

// readable reports whether the process behind a pidfd has ended (pidfd_open(2)).
func readable(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return n > 0 || err != nil && err != unix.EINTR
}
