package wire

// Batch is what leaves a child at once, as frames, for every viewer of one form.
type Batch struct {
	Frames   []byte
	Messages int  // that end in it
	Payload  int  // of messages, in bytes
	Whole    bool // it has neither the end nor the beginning of another
}
