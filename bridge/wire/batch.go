package wire

// Batch is the encoding of several messages for every client that uses the same
// encoding. It must not change once a Queue has it.
type Batch struct {
	Frames   []byte
	Messages int  // that end in the batch
	Payload  int  // payload of the messages, in bytes
	Whole    bool // the batch contains whole messages only
	Open     bool // it ends within a message
}
