package bridge

import (
	"io"
	"sync"
)

const (
	// smallBlock is the read buffer of a quiet output.
	smallBlock = 1 << 10
	// blockSize is the size of what getBlock lends: room for a message that is
	// still one frame, and the rest of a full pipe.
	blockSize = 128 << 10
)

// blocks lends buffers, so that only a connection that is busy right now holds
// one.
var blocks sync.Pool

func getBlock() []byte {
	if b, ok := blocks.Get().(*[blockSize]byte); ok {
		return b[:]
	}
	return make([]byte, blockSize)
}

// putBlock takes back a block, and leaves any other slice to the garbage
// collector.
func putBlock(p []byte) {
	if cap(p) == blockSize {
		blocks.Put((*[blockSize]byte)(p[:blockSize]))
	}
}

// readNow reads what r has without waiting, if r is an output that can.
func readNow(r io.Reader, p []byte) (n int) {
	if r, ok := r.(interface{ ReadNow(p []byte) int }); ok {
		return r.ReadNow(p)
	}
	return 0
}

// readEach calls f with what each read of r brings, until its end. The buffer is
// small while little comes, but what one write(2) has put into a pipe comes whole.
func readEach(r io.Reader, f func(p []byte)) {
	small := make([]byte, smallBlock)
	for buf := small; ; {
		wasSmall := len(buf) == smallBlock
		n, err := r.Read(buf)
		if wasSmall && n == smallBlock {
			buf = getBlock()
			copy(buf, small)
			n += readNow(r, buf[n:])
		}
		if n > 0 {
			f(buf[:n])
		}
		if err != nil {
			putBlock(buf)
			return
		}
		if !wasSmall && n < smallBlock {
			putBlock(buf)
			buf = small
		}
	}
}
