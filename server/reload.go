package server

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

// recheck is how old a look at a file may be.
const recheck = time.Second

// watched is a value made of files, and made anew when they have changed. They
// are looked at when the value is asked for, not watched through the kernel:
// that would miss network file systems, and links that are switched.
type watched[T any] struct {
	paths []string
	load  func() (T, error)
	log   *slog.Logger

	mu     sync.Mutex
	value  T
	seen   []os.FileInfo // of paths, as they were before value was made
	looked time.Time
}

// watch loads a value from the files at paths for the first time.
func watch[T any](log *slog.Logger, load func() (T, error), paths ...string) (*watched[T], error) {
	w := &watched[T]{paths: paths, load: load, log: log, looked: time.Now()}
	w.seen = w.look()
	var err error
	w.value, err = load()
	return w, err
}

// get returns the value that the files have now, or had a second ago. If they
// have become unreadable or wrong the last good one stays.
func (w *watched[T]) get() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.looked) >= recheck {
		w.looked = time.Now()
		if now := w.look(); changed(w.seen, now) {
			w.make(now)
		}
	}
	return w.value
}

// reload makes the value anew, whether the files seem to have changed or not.
func (w *watched[T]) reload() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looked = time.Now()
	w.make(w.look())
}

// make loads the value from files that look like now. Whatever changes while it
// reads shows at the next look.
func (w *watched[T]) make(now []os.FileInfo) {
	w.seen = now
	value, err := w.value, w.checkRegular(now)
	if err == nil {
		value, err = w.load()
	}
	if err != nil {
		w.log.Error("cannot reload; the previous contents stay in effect", "error", err)
		return
	}
	w.value = value
	w.log.Info("reloaded", "files", w.paths)
}

// checkRegular fails if one of the files is something else now. What a pipe held
// has been read, and nobody may write to it again.
func (w *watched[T]) checkRegular(now []os.FileInfo) error {
	for i, info := range now {
		if info != nil && !info.Mode().IsRegular() {
			return fmt.Errorf("read %s: not a regular file", w.paths[i])
		}
	}
	return nil
}

// readFile returns what the file at path holds. It does not wait for somebody to
// open the other end of a FIFO.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// look returns what the files are; nil for one that cannot be told.
func (w *watched[T]) look() []os.FileInfo {
	infos := make([]os.FileInfo, len(w.paths))
	for i, path := range w.paths {
		if info, err := os.Stat(path); err == nil {
			infos[i] = info
		}
	}
	return infos
}

func changed(before, now []os.FileInfo) bool {
	for i, b := range before {
		n := now[i]
		switch {
		case (b == nil) != (n == nil):
			return true
		case b != nil && (!os.SameFile(b, n) || b.Size() != n.Size() || !b.ModTime().Equal(n.ModTime())):
			return true
		}
	}
	return false
}
