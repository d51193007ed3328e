package wire

import (
	"sync"
)

const (
	// SmallBlock is the read buffer of a quiet output.
	SmallBlock = 1 << 10
	// BlockSize is the size of what GetBlock lends: room for a message that is
	// still one frame, and the rest of a full pipe.
	BlockSize = 128 << 10
)

// blocks lends buffers, so that only a connection that is busy right now holds
// one.
var blocks sync.Pool

func GetBlock() []byte {
	if b, ok := blocks.Get().(*[BlockSize]byte); ok {
		return b[:]
	}
	return make([]byte, BlockSize)
}

// PutBlock takes back a block, and leaves any other slice to the garbage
// collector.
func PutBlock(p []byte) {
	if cap(p) == BlockSize {
		blocks.Put((*[BlockSize]byte)(p[:BlockSize]))
	}
}
