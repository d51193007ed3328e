package process

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An orphan is a process whose parent has ended. The orphans of our children become our
// children (prctl(2), PR_SET_CHILD_SUBREAPER), and so does every orphan in a container
// of which we are process 1. So we can find and reap them.

// init keeps the main thread for the main goroutine. Orphans become children of the main
// thread, which starts no children itself.
func init() { runtime.LockOSThread() }

// orphans reads the list of our orphans.
var orphans struct {
	sync.Mutex
	list *os.File // proc_pid_tid_children(5); nil if unavailable
	buf  []byte

	probe int // a file descriptor for inUse
}

// reapInterval is the minimum time between two rounds of reaping orphans. Stop reaps
// those of its session at once.
const reapInterval = 10 * time.Millisecond

// ReapOrphans adopts the orphans of our children and reaps each orphan that ends, until
// we end. Prepare calls it. Process 1 has to call it even if it starts no children.
func ReapOrphans() { becomeSubreaper() }

var becomeSubreaper = sync.OnceFunc(func() {
	orphans.probe, _ = unix.Eventfd(0, unix.EFD_CLOEXEC)
	if unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != nil {
		return
	}
	pid := strconv.Itoa(os.Getpid())
	if self, _ := os.Readlink("/proc/self"); self != pid { // /proc belongs to another PID namespace
		return
	}
	orphans.list, _ = os.Open("/proc/self/task/" + pid + "/children") // needs CONFIG_PROC_CHILDREN
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go reaper(ended) // never ends
})

func reaper(ended <-chan os.Signal) {
	for range ended {
		reapOrphans()
		time.Sleep(reapInterval)
	}
}

// maxReaps bounds how often one call of reapOrphans reads the list.
const maxReaps = 10

// reapOrphans reaps the orphans that have ended and returns the others. The result may
// not be complete if the list is unavailable or changes too fast.
func reapOrphans() (alive []int, complete bool) {
	orphans.Lock() // no other goroutine reaps an orphan, so no PID of the list is reused
	defer orphans.Unlock()
	for range maxReaps {
		pids, err := readOrphans()
		if err != nil {
			return nil, false
		}
		alive = slices.DeleteFunc(pids, func(pid int) bool {
			reaped, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
			return reaped == pid || err != nil
		})
		if len(alive) == len(pids) { // otherwise children of reaped orphans may have joined the list
			return alive, true
		}
	}
	return alive, false
}

func readOrphans() (pids []int, err error) {
	if orphans.list == nil {
		return nil, os.ErrInvalid
	}
	n := 0
	for err == nil {
		orphans.buf = slices.Grow(orphans.buf[:n], 4096)
		var more int
		more, err = orphans.list.ReadAt(orphans.buf[n:cap(orphans.buf)], int64(n))
		n += more
		orphans.buf = orphans.buf[:n]
	}
	if err != io.EOF {
		return nil, fmt.Errorf("read orphans: %w", err)
	}
	return parsePids(orphans.buf), nil
}

func parsePids(list []byte) (pids []int) {
	for field := range bytes.FieldsSeq(list) {
		if pid, err := strconv.Atoi(string(field)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
