// Package watch keeps a value that is loaded from files, and loads it again when
// the files change.
package watch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

// Interval is how old the last check of the files may be when Get returns.
const Interval = time.Second

// Value is loaded from files, and loaded again when they have changed. The files
// are checked when the value is requested, not watched through the kernel, which
// would miss network file systems and symbolic links that are switched. Its methods
// may be called concurrently.
type Value[T any] struct {
	paths []string
	load  func() (T, error)
	log   *slog.Logger

	mu      sync.Mutex
	value   T
	states  []os.FileInfo // of paths, as they were before value was loaded
	checked time.Time
}

// New loads a value from the files at paths for the first time. Later loads, and
// their errors, are logged.
func New[T any](log *slog.Logger, load func() (T, error), paths ...string) (*Value[T], error) {
	w := &Value[T]{paths: paths, load: load, log: log, checked: time.Now()}
	w.states = w.stat()
	var err error
	w.value, err = load()
	return w, err
}

// Get returns the value of the files as they are now, or were at most a second
// ago. If they have become unreadable or invalid, the last good value stays.
func (w *Value[T]) Get() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.checked) >= Interval {
		w.checked = time.Now()
		if now := w.stat(); changed(w.states, now) {
			w.update(now)
		}
	}
	return w.value
}

// Reload loads the value again, whether the files seem to have changed or not.
func (w *Value[T]) Reload() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checked = time.Now()
	w.update(w.stat())
}

// update loads the value from files whose state is now. A change while it reads is
// found by the next check.
func (w *Value[T]) update(now []os.FileInfo) {
	w.states = now
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

// checkRegular fails if one of the files is not a regular file now. The content of
// a pipe has been read, and may never be written again.
func (w *Value[T]) checkRegular(now []os.FileInfo) error {
	for i, info := range now {
		if info != nil && !info.Mode().IsRegular() {
			return fmt.Errorf("read %s: not a regular file", w.paths[i])
		}
	}
	return nil
}

// ReadFile returns the content of the file at path. It does not wait for a process
// to open the other end of a FIFO. Its error is the cause alone, without the path.
func ReadFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	return content, cause(err)
}

// cause returns err without the operation and the path.
func cause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// stat returns the state of the files; nil for one that stat cannot find.
func (w *Value[T]) stat() []os.FileInfo {
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
