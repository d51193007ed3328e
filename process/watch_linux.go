package process

import (
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// watcher calls a function when a file becomes readable, for many files with one
// goroutine. So rare events, such as a child's exit or its first output on stderr, need
// no goroutine each, with a stack.
type watcher struct {
	epoll int             // epoll(7)
	ready syscall.RawConn // the same descriptor, in the runtime's poller

	mu      sync.Mutex
	last    int64 // the number of the newest watch
	watches map[int64]*watch
}

// watch waits for one file. Its number distinguishes it from an earlier watch of the same
// descriptor.
type watch struct {
	watcher *watcher // nil if f has been called already
	number  int64
	fd      int
	f       func()
}

// sharedWatcher is created by the first onReadable and never ends.
var sharedWatcher struct {
	sync.Mutex
	*watcher
}

// onReadable calls f once, in a new goroutine, when fd is readable or at EOF, or when fire
// is called. If fd cannot be watched, it calls f at once. The caller must not close fd
// before f is called.
func onReadable(fd uintptr, f func()) *watch {
	w, err := startWatcher()
	if err != nil {
		go f()
		return &watch{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	n := &watch{watcher: w, number: w.last, fd: int(fd), f: f}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(n.number), Pad: int32(n.number >> 32)}
	if err := unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, n.fd, &event); err != nil {
		go f()
		return &watch{}
	}
	w.watches[n.number] = n
	return n
}

// fire calls f if it has not been called.
func (n *watch) fire() {
	if n.watcher != nil {
		n.watcher.call(n.number)
	}
}

// call removes a watch and calls its function, if it has not been called.
func (w *watcher) call(number int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.watches[number]; n != nil {
		delete(w.watches, number)
		unix.EpollCtl(w.epoll, unix.EPOLL_CTL_DEL, n.fd, nil)
		go n.f()
	}
}

func startWatcher() (*watcher, error) {
	sharedWatcher.Lock()
	defer sharedWatcher.Unlock()
	if sharedWatcher.watcher != nil {
		return sharedWatcher.watcher, nil
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	file, err := newPolledFile(fd, "epoll")
	if err != nil {
		return nil, err
	}
	ready, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	w := &watcher{epoll: fd, ready: ready, watches: make(map[int64]*watch)}
	go w.run() // never ends
	sharedWatcher.watcher = w
	return w, nil
}

// run calls the functions of watches whose files are readable.
func (w *watcher) run() {
	var events [64]unix.EpollEvent
	n := 0
	look := func(uintptr) bool {
		n, _ = unix.EpollWait(w.epoll, events[:], 0)
		return n != 0
	}
	for {
		w.ready.Read(look)
		for _, e := range events[:max(n, 0)] {
			w.call(int64(e.Pad)<<32 | int64(uint32(e.Fd)))
		}
	}
}
