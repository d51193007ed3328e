package process

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// After the leader's exit a descendant may still hold an output open. Reading
// goes on until nothing has come for quietAfterExit, and no longer than
// maxAfterExit.
const (
	quietAfterExit = 250 * time.Millisecond
	maxAfterExit   = 2 * time.Second
)

// Output reads what a child writes to one of its outputs, to the last byte.
type Output struct {
	child    *Child
	file     *os.File
	terminal bool // the file is our end of one

	awaited atomic.Pointer[watch] // set by Await

	atEnd     bool // nothing more is waited for
	remaining int  // how much of what the pipe still holds may be read then
}

// maxRemaining is as much as a pipe can hold (pipe(7), pipe-max-size): everything
// that the child wrote before its end is within it, a descendant's endless
// output is not.
const maxRemaining = 1 << 20

// Await calls f, in a goroutine of its own, once there is something to read or the
// child has ended. It is called once, before any Read, and what waits costs
// no goroutine (on Linux).
func (o *Output) Await(f func()) {
	var w *watch
	raw, err := o.file.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { w = onReadable(fd, f) })
	}
	if err != nil { // there is no file, or it is closed
		go f()
		return
	}
	o.awaited.Store(w)
	if o.child.hasExited() { // leaderExited may have come too early to see w
		w.fire()
	}
}

// Read reads into p. It returns io.EOF once every writer has closed its end,
// or, after the child's exit, once those that still hold it have written
// nothing for a while: then what is in the pipe has been read, and the pipe is
// closed.
func (o *Output) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for !o.atEnd {
		if o.child.hasExited() {
			o.setDeadline()
		}
		n, err := o.file.Read(p)
		if n > 0 {
			return n, nil
		}
		if err != nil {
			o.atEnd = true
			// A terminal's end is EIO, pty(7). The kernel looks for output first and
			// for the end then: what came between is found by looking again.
			if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.EIO) {
				o.remaining = maxRemaining
			}
		}
	}
	return o.readRemaining(p)
}

// ReadNow reads what is there without waiting, which may be nothing. Where the
// platform cannot tell, it always is.
func (o *Output) ReadNow(p []byte) (n int) {
	if !o.atEnd {
		return readNonblocking(o.file, p)
	}
	n = readNonblocking(o.file, p[:min(len(p), o.remaining)])
	o.remaining -= n
	return n
}

// setDeadline bounds the next read. A failure means that the platform has no
// deadlines for pipes; leaderExited has taken care of that.
func (o *Output) setDeadline() {
	deadline := time.Now().Add(quietAfterExit)
	if last := o.child.exitedAt.Add(maxAfterExit); last.Before(deadline) {
		deadline = last
	}
	o.file.SetReadDeadline(deadline)
}

// readRemaining reads what the pipe held when the waiting was over.
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

// leaderExited wakes a pending Read, whose wait is bounded from now on.
func (o *Output) leaderExited() {
	if w := o.awaited.Load(); w != nil {
		w.fire()
	}
	err := o.file.SetReadDeadline(time.Now().Add(quietAfterExit))
	if errors.Is(err, os.ErrNoDeadline) {
		// The end of the whole session is the only other end of the pipe.
		time.AfterFunc(quietAfterExit, o.child.session.kill)
	}
}

func (c *Child) hasExited() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}
