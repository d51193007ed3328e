package process

import (
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

var starterQueue = make(chan func())

// starters is how many children may be between fork and exec at once. The thread that
// starts one is blocked meanwhile.
const starters = 4

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
	for range starters {
		go starter(running.Done) // never ends
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
}

// starter runs the functions of starterQueue on a thread that never ends, because the
// kernel sends the parent-death signal when the thread that started the child ends
// (prctl(2), PR_SET_PDEATHSIG). The thread blocks no signals, and children inherit that.
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

// setParentDeathSignal requests that the kernel kill the child when we end.
func setParentDeathSignal(attr *os.ProcAttr) { attr.Sys.Pdeathsig = syscall.SIGKILL }

// onExit calls f in a new goroutine once p has exited, so that a running child takes no
// thread. Without pidfds (before Linux 5.4) it calls f at once, and f blocks a thread.
func onExit(p *os.Process, f func()) {
	if p.WithHandle(func(pidfd uintptr) { onReadable(pidfd, f) }) != nil {
		go f()
	}
}
