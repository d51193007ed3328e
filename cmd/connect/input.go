package connect

import (
	"io"
	"sync"
)

// input reads stdin for all connections of a client.
type input struct {
	file      io.Reader
	startOnce sync.Once
	blocks    chan []byte   // from the reader; a block is valid until the next is received
	done      chan struct{} // closed by stop

	// Used by the current connection:

	pending []byte // read, but not completely written to the kernel
	ended   bool   // pending is the end of stdin
	// midMessage reports whether pending continues a line whose beginning was sent.
	midMessage bool
	err        error // the error that ended reading, usually io.EOF; set before blocks is closed
}

func newInput(file io.Reader) *input {
	return &input{file: file, blocks: make(chan []byte), done: make(chan struct{})}
}

// start starts the reader. Calls after the first do nothing.
func (in *input) start(guard func()) {
	in.startOnce.Do(func() {
		go func() { // ends at the end of stdin or after stop; a pending read is not interrupted
			defer guard()
			in.read()
		}()
	})
}

// stop ends the reader, unless a read is pending.
func (in *input) stop() { close(in.done) }

func (in *input) read() {
	defer close(in.blocks)
	var buffers [2][maxPayload]byte
	for i := 0; ; i ^= 1 {
		n, err := in.file.Read(buffers[i][:])
		if n > 0 {
			select {
			case in.blocks <- buffers[i][:n]:
			case <-in.done:
				return
			}
		}
		if err != nil {
			in.err = err
			return
		}
	}
}

// next waits for a block and appends it to pending, or sets ended. It returns false if done
// is closed first.
func (in *input) next(done <-chan struct{}) bool {
	select {
	case block, ok := <-in.blocks:
		in.pending, in.ended = append(in.pending, block...), !ok
		return true
	case <-done:
		return false
	}
}

// keep discards pending except for its suffix rest.
func (in *input) keep(rest []byte) { in.pending = in.pending[:copy(in.pending, rest)] }
