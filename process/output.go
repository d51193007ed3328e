package process

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// After the child's exit a descendant may still hold an output open. Then reading ends
// after quietAfterExit without output, and maxAfterExit after the exit at the latest.
const (
	quietAfterExit = 250 * time.Millisecond
	maxAfterExit   = 2 * time.Second
)

// Output reads the stdout or stderr of a child, to the last byte. One goroutine reads at
// a time. The last Read closes our end.
type Output struct {
	child    *Child
	file     *os.File
	terminal bool // file is our end of a terminal

	awaited atomic.Pointer[watch] // set by Await

	draining  bool // Read no longer waits
	remaining int  // how many of the bytes in the pipe may still be read then
}

// maxRemaining is the capacity of the largest pipe (pipe(7), pipe-max-size). That is
// enough for everything that the child wrote, and bounds the output of a descendant.
const maxRemaining = 1 << 20

// Await calls f, in a new goroutine, once there is something to read or the child has
// exited. Call it at most once, before any Read. On Linux, waiting takes no goroutine.
func (o *Output) Await(f func()) {
	var w *watch
	raw, err := o.file.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { w = onReadable(fd, f) })
	}
	if err != nil { // no file, or a closed one
		go f()
		return
	}
	o.awaited.Store(w)
	if o.child.hasExited() { // leaderExited may have run before w was stored
		w.fire()
	}
}

// Read reads into p. It returns io.EOF once every writer has closed its end, or, after
// the child's exit, once the remaining writers have been silent for 250 ms, and 2 s
// after the exit at the latest. Then it has read all that the pipe held, and closes it.
func (o *Output) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for !o.draining {
		if o.child.hasExited() {
			o.setDeadline()
		}
		n, err := o.file.Read(p)
		if n > 0 {
			return n, nil
		}
		if err != nil {
			o.draining = true
			// EIO is the end of a terminal, pty(7). The kernel checks for output before
			// it checks for the end, so output may have arrived in between.
			if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.EIO) {
				o.remaining = maxRemaining
			}
		}
	}
	return o.readRemaining(p)
}

// ReadNow reads without waiting. It returns 0 if there is nothing to read. Without
// non-blocking pipes it always returns 0.
func (o *Output) ReadNow(p []byte) (n int) {
	if !o.draining {
		return readNonblocking(o.file, p)
	}
	n = readNonblocking(o.file, p[:min(len(p), o.remaining)])
	o.remaining -= n
	return n
}

// setDeadline bounds the next read after the child's exit. It fails on platforms without
// deadlines for pipes, where leaderExited kills the process session instead.
func (o *Output) setDeadline() {
	deadline := time.Now().Add(quietAfterExit)
	if last := o.child.exitedAt.Add(maxAfterExit); last.Before(deadline) {
		deadline = last
	}
	o.file.SetReadDeadline(deadline)
}

// readRemaining reads what the pipe held when Read stopped waiting, then closes it.
func (o *Output) readRemaining(p []byte) (int, error) {
	if o.remaining > 0 {
		if n := o.ReadNow(p); n > 0 {
			return n, nil
		}
	}
	o.remaining = 0
	if o.terminal {
		closeTerminal(o.file)
	} else {
		o.file.Close()
	}
	return 0, io.EOF
}

// leaderExited sets a deadline for a pending Read and ends the wait of Await.
func (o *Output) leaderExited() {
	if w := o.awaited.Load(); w != nil {
		w.fire()
	}
	err := o.file.SetReadDeadline(time.Now().Add(quietAfterExit))
	if errors.Is(err, os.ErrNoDeadline) {
		// Without deadlines a read ends only when all writers have ended.
		time.AfterFunc(quietAfterExit, o.child.session.kill)
	}
}
