package connect

import (
	"io"
	"sync"
)

// input is stdin, for all connections of a client.
type input struct {
	file      io.Reader
	startOnce sync.Once
	blocks    chan []byte   // of the reader; one is good until the next is taken
	done      chan struct{} // closed by stop

	// The connection's:

	pending []byte // read, but not yet taken by the kernel as a whole
	ended   bool   // nothing comes after it
	// midMessage says that pending goes on with a line whose beginning was sent.
	midMessage bool
	err        error // why reading ended, once it has; io.EOF is the usual reason
}

func newInput(file io.Reader) *input {
	return &input{file: file, blocks: make(chan []byte), done: make(chan struct{})}
}

// start begins to read, at the first call.
func (in *input) start(guard func()) {
	in.startOnce.Do(func() {
		go func() { // ends at the end of stdin or after stop; a read is not interrupted, it may end with the process
			defer guard()
			in.read()
		}()
	})
}

// stop lets the reader end, unless it reads.
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

// next adds to pending what comes next, or notes that nothing does. It returns
// false if over is closed before.
func (in *input) next(over <-chan struct{}) bool {
	select {
	case block, ok := <-in.blocks:
		in.pending, in.ended = append(in.pending, block...), !ok
		return true
	case <-over:
		return false
	}
}

// keep drops from pending all but rest, which is its end.
func (in *input) keep(rest []byte) { in.pending = in.pending[:copy(in.pending, rest)] }
