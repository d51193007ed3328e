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
// PR_SET_PDEATHSIG). A child inherits the thread's blocked signals: none.
func starter() {
	runtime.LockOSThread()
	unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)
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

// dieWithUs makes a child die with us.
func dieWithUs(attr *os.ProcAttr) { attr.Sys.Pdeathsig = syscall.SIGKILL }

// whenEnded calls f when p can be waited for without waiting: a child that runs
// costs no thread. Without pidfds (Linux before 5.4) f waits, on a thread.
func whenEnded(p *os.Process, f func()) {
	if p.WithHandle(func(pidfd uintptr) { whenReadable(pidfd, f) }) != nil {
		go f()
	}
}
