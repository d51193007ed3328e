package bridge

import (
	"bytes"
	"errors"
	"slices"
	"sync/atomic"

	"wspipe/bridge/framing"
)

var (
	// ErrNotTaken says that the child has ended, or reads no more.
	ErrNotTaken = errors.New("the child no longer reads its input")
	// ErrGone says that the sender of a message has gone before the child had it.
	ErrGone = errors.New("the sender has disconnected")
)

// Input gives the child a message of somebody who is not one of its clients, and returns
// when the child's pipe has it, or gone is closed. The child is one of Broadcast or
// Resumable.
func (b *Bridge) Input(message []byte, gone <-chan struct{}) error {
	if f := b.opt.Framing; f == framing.Lines || f == framing.JSON {
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
