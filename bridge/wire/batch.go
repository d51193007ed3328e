package wire

import "sync/atomic"

// Batch is the encoding of several messages for every client that uses the same
// encoding. It must not change once a Queue has it.
type Batch struct {
	Frames   []byte
	Messages int // that end in the batch
	Payload  int // payload of the messages, in bytes
	Part     Part
	Open     bool // it ends within a message
}

// Part is which part of a message a batch is. It decides what DropBatches can drop.
type Part int

const (
	// Whole is no part: the batch contains whole messages only.
	Whole Part = iota
	// First is the beginning of a message, Last its end. Nothing else is in the batch.
	First
	Last
	// Middle is anything between First and Last. Without them it is a stream, of which nothing
	// can be dropped.
	Middle
)

// joins reports whether a copy of next may follow the copy of b in one segment.
func (b *Batch) joins(next *Batch) bool {
	return b.Part == next.Part && (b.Part == Whole || b.Part == Middle)
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
