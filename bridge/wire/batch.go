package wire

import "sync/atomic"

// Batch is the encoding of several messages for every client that uses the same
// encoding. It must not change once a Queue has it.
type Batch struct {
	Frames   []byte
	Messages int  // that end in the batch
	Payload  int  // payload of the messages, in bytes
	Whole    bool // the batch contains whole messages only
	Open     bool // it ends within a message
}

// sentBatches counts the contents of the batches that were written completely.
type sentBatches struct{ messages, payload atomic.Int64 }

func (s *sentBatches) add(b *Batch) {
	s.messages.Add(int64(b.Messages))
	s.payload.Add(int64(b.Payload))
}

// Sent returns how many messages, and how many bytes of payload, of the batches of
// WriteBatch the kernel has accepted.
func (q *Queue) Sent() (messages, payload int64) {
	return q.sent.messages.Load(), q.sent.payload.Load()
}
