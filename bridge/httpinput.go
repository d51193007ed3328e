package bridge

import (
	"bytes"
	"errors"
	"slices"
	"sync/atomic"
)

var (
	// ErrNotTaken means that the child has ended or has closed its stdin.
	ErrNotTaken = errors.New("the child no longer reads its input")
	// ErrGone means that the sender disconnected before the child had its message.
	ErrGone = errors.New("the sender has disconnected")
)

// Input writes a message to the child's stdin that no attached client has sent. It returns
// when the child's pipe has accepted the message, or gone is closed. The child is a Broadcast
// or Resumable child.
func (b *Bridge) Input(message []byte, gone <-chan struct{}) error {
	if b.opt.Framing.JoinsLines() {
		message = bytes.TrimSuffix(message, []byte("\n")) // the codec adds it
	}
	before, after := b.opt.Framing.NewCodec().Join(len(message))
	var over atomic.Bool
	done := make(chan struct{})
	defer close(done)
	go func() { // ends with Input
		select {
		case <-gone:
			over.Store(true)
			b.stdin.Wake()
		case <-done:
		}
	}()
	for _, step := range []func() error{
		func() error { return b.stdin.WaitUnless(maxInputBacklog, &over) },
		func() error {
			_, err := b.stdin.Write(slices.Concat([]byte(before), message, []byte(after)))
			return err
		},
		func() error { return b.stdin.WaitUnless(0, &over) },
	} {
		switch err := step(); {
		case err != nil:
			return ErrNotTaken
		case over.Load():
			return ErrGone
		}
	}
	return nil
}
