//go:build unix

package wire

import (
	"io"
	"syscall"
)

// rawWriter writes to a kernel buffer without waiting.
type rawWriter struct {
	conn syscall.RawConn
	try  func(fd uintptr) bool // tryWrite, bound once to save an allocation per write

	p   []byte
	n   int
	err error
}

// newRawWriter returns nil if conn has no syscall.RawConn.
func newRawWriter(conn any) *rawWriter {
	raw := rawConn(conn)
	if raw == nil {
		return nil
	}
	w := &rawWriter{conn: raw}
	w.try = w.tryWrite
	return w
}

// write writes as many bytes of p as the kernel accepts.
func (w *rawWriter) write(p []byte) (n int, err error) {
	w.p, w.n, w.err = p, 0, nil
	err = w.conn.Write(w.try)
	w.p = nil
	if w.err != nil {
		err = w.err
	}
	return w.n, err
}

func (w *rawWriter) tryWrite(fd uintptr) bool {
	for w.n < len(w.p) {
		n, err := syscall.Write(int(fd), w.p[w.n:])
		if n > 0 {
			w.n += n
		}
		switch err {
		case nil, syscall.EINTR:
		case syscall.EAGAIN:
			return true
		default:
			w.err = err
			return true
		}
	}
	return true
}

// rawReader reads from a socket and calls idle before it waits.
type rawReader struct {
	conn   syscall.RawConn
	buffer func() []byte         // returns the buffer for the next bytes
	idle   func()                // called before each wait
	try    func(fd uintptr) bool // tryRead, bound once

	n   int
	err error
}

// newRawReader returns nil if conn has no syscall.RawConn.
func newRawReader(conn any, buffer func() []byte, idle func()) *rawReader {
	raw := rawConn(conn)
	if raw == nil {
		return nil
	}
	r := &rawReader{conn: raw, buffer: buffer, idle: idle}
	r.try = r.tryRead
	return r
}

// read reads once. It waits until the socket is readable.
func (r *rawReader) read() (n int, err error) {
	r.n, r.err = 0, nil
	err = r.conn.Read(r.try)
	switch {
	case err != nil:
		return 0, err
	case r.err != nil:
		return 0, r.err
	case r.n == 0:
		return 0, io.EOF
	}
	return r.n, nil
}

func (r *rawReader) tryRead(fd uintptr) bool {
	for {
		r.n, r.err = syscall.Read(int(fd), r.buffer())
		switch r.err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			r.idle()
			return false
		}
		return true
	}
}
