package wire

import "sync"

const (
	// SmallBlock is the size of a read buffer for a stream with little traffic, in bytes.
	SmallBlock = 1 << 10
	// BlockSize is the size of a pooled block, in bytes: room for the longest message
	// that is one frame and the rest of a full pipe.
	BlockSize = 128 << 10
)

// blocks pools buffers, so that only a busy connection holds one.
var blocks sync.Pool

// GetBlock returns a buffer of BlockSize bytes with arbitrary content. PutBlock
// returns it to the pool.
func GetBlock() []byte {
	if b, ok := blocks.Get().(*[BlockSize]byte); ok {
		return b[:]
	}
	return make([]byte, BlockSize)
}

// PutBlock returns p to the pool if it is a block, and otherwise does nothing. p must
// not be used afterwards.
func PutBlock(p []byte) {
	if cap(p) == BlockSize {
		blocks.Put((*[BlockSize]byte)(p[:BlockSize]))
	}
}
