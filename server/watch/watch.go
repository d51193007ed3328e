// Package watch keeps a value that is loaded from files, and reloads it when they change.
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

// Interval is the minimum time between two checks of the files.
const Interval = time.Second

// Value is a value that is loaded from files and reloaded when they have changed. It checks
// the files when the value is requested. (Notifications by the kernel would miss network
// file systems and changed symbolic links.) Its methods may be called concurrently.
type Value[T any] struct {
	paths []string
	load  func() (T, error)
	log   *slog.Logger

	mu      sync.Mutex
	value   T
	states  []os.FileInfo // of paths, from before value was loaded
	checked time.Time     // when the files were last checked
}

// New loads a value from the files at paths. It returns the error of load, and logs later
// reloads and their errors.
func New[T any](log *slog.Logger, load func() (T, error), paths ...string) (*Value[T], error) {
	w := &Value[T]{paths: paths, load: load, log: log, checked: time.Now()}
	w.states = w.stat()
	var err error
	w.value, err = load()
	return w, err
}

// Get returns the value for the files as they were at most Interval ago. If a reload fails,
// it returns the previous value.
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

// Reload loads the value again, even if the files seem unchanged.
func (w *Value[T]) Reload() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checked = time.Now()
	w.update(w.stat())
}

// update loads the value. now is the state of the files before that, so that the next check
// finds a change during the load.
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

// checkRegular returns an error if one of the files is not a regular file. A pipe can be read
// only once.
func (w *Value[T]) checkRegular(now []os.FileInfo) error {
	for i, info := range now {
		if info != nil && !info.Mode().IsRegular() {
			return fmt.Errorf("read %s: not a regular file", w.paths[i])
		}
	}
	return nil
}

// ReadFile returns the content of the file at path. It does not wait for a writer of a FIFO.
// Its error is the cause without the path.
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

// stat returns the states of the files, nil where stat fails.
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
