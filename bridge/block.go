package bridge

import "sync"

const (
	// maxFrame is the longest message that is sent as one frame for sure, in bytes.
	maxFrame = 64 << 10
	// smallBlock is the read buffer of a quiet output.
	smallBlock = 1 << 10
	// blockSize is the size of what getBlock lends: room for a message that is
	// still one frame, and the rest of a full pipe.
	blockSize = 2 * maxFrame
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
