package process

import (
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

var starterQueue = make(chan func())

// starters is how many children may be between fork and exec at once: there
// the thread that starts one has to wait.
const starters = 4

// spareThreads is how many system calls may block at once and find a thread
// ready, besides the threads that run Go code.
const spareThreads = 32

// startThreads creates the starters and the threads that Go's runtime will need.
// It ends the process if it cannot create one, and children can use up all
// processes that a limit allows.
func startThreads() {
	spare := runtime.GOMAXPROCS(0) + spareThreads
	var running, released sync.WaitGroup
	running.Add(starters + spare)
	for range starters {
		go starter(running.Done) // lives as long as we do
	}
	for range spare {
		released.Go(func() { // ends when all threads run, each with one goroutine
			runtime.LockOSThread()
			defer runtime.UnlockOSThread() // the thread remains, for other goroutines
			running.Done()
			running.Wait()
		})
	}
	released.Wait()
}

// starter runs on a thread of its own and never ends: the parent-death signal
// follows the thread that started the child, not the process (prctl(2),
// PR_SET_PDEATHSIG). A child inherits the thread's blocked signals: none.
func starter(running func()) {
	runtime.LockOSThread()
	unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)
	running()
	for f := range starterQueue {
		f()
	}
}

// runOnStarter runs f on a starter's thread.
func runOnStarter(f func()) {
	done := make(chan struct{})
	starterQueue <- func() { defer close(done); f() }
	<-done
}

// setParentDeathSignal makes a child die with us.
func setParentDeathSignal(attr *os.ProcAttr) { attr.Sys.Pdeathsig = syscall.SIGKILL }

// onExit calls f when p can be waited for without waiting: a child that runs
// costs no thread. Without pidfds (Linux before 5.4) f waits, on a thread.
func onExit(p *os.Process, f func()) {
	if p.WithHandle(func(pidfd uintptr) { onReadable(pidfd, f) }) != nil {
		go f()
	}
}
