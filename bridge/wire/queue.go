package wire

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Queue puts bytes into a kernel buffer, a socket's or a pipe's, in order.
// Write never blocks: what the kernel does not take at once waits in memory,
// and a goroutine that lives as long as something waits writes it. The caller
// bounds that memory with Wait. Its methods may be called concurrently.
type Queue struct {
	w   io.WriteCloser
	raw *rawWriter // nil if w has none: then every byte takes the goroutine

	// onFail, if set, is called in a goroutine of its own when a write fails.
	onFail func()

	size       atomic.Int64 // of what waits, in bytes; changed with mu held
	mu         sync.Mutex
	change     sync.Cond // on mu: less waits, or err is set
	waiting    segments  // what the kernel has not taken; none is empty
	frontTaken int       // of waiting[0]
	written    int64     // bytes written and waiting, ever
	held       bool      // Hold was called
	ending     bool      // End was called
	sealed     bool      // seal was called
	dataEnd    bool      // endData was called
	writing    bool      // the goroutine runs
	err        error     // why nothing more is written
	dropped    bool      // and something waited then

	paused      atomic.Bool // between pause and proceed; changed with mu held
	heldBatches segments    // bursts that have come meanwhile
	heldBytes   int         // of them, in bytes
}

// MaxUnsent is how much may wait in a client's queue before the child must wait, in
// bytes.
const MaxUnsent = 64 << 10

// NewQueue returns an Queue into w, which it closes with Close.
func NewQueue(w io.WriteCloser) *Queue {
	o := &Queue{w: w, raw: newRawWriter(w)}
	o.change.L = &o.mu
	return o
}

// Write takes all of p. It fails only if an earlier write, End or Close has
// ended the flow.
func (o *Queue) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.write(p)
}

// write is Write with mu held.
func (o *Queue) write(p []byte) (int, error) {
	switch {
	case o.err != nil:
		return 0, o.err
	case o.ending:
		return 0, net.ErrClosed
	}
	o.written += int64(len(p))
	n := 0
	if !o.held && o.size.Load() == 0 {
		if n = o.tryWrite(p); n == len(p) || o.err != nil {
			return n, o.err
		}
	}
	o.appendCopy(p[n:])
	if !o.held {
		o.flush()
	}
	return len(p), o.err
}

// WriteData is Write for data frames, which may not follow a close frame.
func (o *Queue) WriteData(p []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dataEnd {
		return net.ErrClosed
	}
	_, err := o.write(p)
	return err
}

// endData makes WriteData fail from now on.
func (o *Queue) endData() {
	o.mu.Lock()
	o.dataEnd = true
	o.mu.Unlock()
}

// appendCopy copies p behind what waits.
func (o *Queue) appendCopy(p []byte) {
	o.size.Add(int64(len(p)))
	for len(p) > 0 {
		last := len(o.waiting) - 1
		if last < 0 || o.waiting[last].batch != nil || len(o.waiting[last].b) == BlockSize {
			o.waiting = append(o.waiting, segment{b: GetBlock()[:0]})
			last++
		}
		b := o.waiting[last].b
		n := copy(b[len(b):BlockSize], p)
		o.waiting[last].b = b[:len(b)+n]
		p = p[n:]
	}
}

// WriteBatch is Write for what is kept as it is, not copied, and may not change
// any more. It returns how much waits now, or is kept back by a pause.
func (o *Queue) WriteBatch(b *Batch) (waiting int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err != nil || o.ending || o.sealed:
		return 0
	case o.paused.Load():
		o.holdBatch(b)
		return o.Waiting() + o.heldBytes
	}
	o.written += int64(len(b.Frames))
	n := 0
	if !o.held && o.size.Load() == 0 {
		n = o.tryWrite(b.Frames)
	}
	if n < len(b.Frames) && o.err == nil {
		o.size.Add(int64(len(b.Frames) - n))
		o.waiting.addBatch(segment{b: b.Frames[n:], batch: b, cut: n > 0})
		if !o.held {
			o.flush()
		}
	}
	return o.Waiting()
}

// Seal makes writeBurst drop what comes from now on, and pause do nothing. What
// is kept back goes first.
func (o *Queue) Seal() {
	o.mu.Lock()
	o.releaseBatches()
	o.sealed = true
	o.mu.Unlock()
}

// DropBatches drops bursts of whole messages, oldest first, until no more than
// limit bytes wait or are kept back, and returns how many messages these were.
func (o *Queue) DropBatches(limit int) (messages int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	messages, size := o.waiting.dropBatches(1, o.Waiting()+o.heldBytes-limit) // the first may be being written
	o.size.Add(-int64(size))
	more, size := o.heldBatches.dropBatches(0, o.Waiting()+o.heldBytes-limit)
	o.heldBytes -= size
	o.change.Broadcast()
	return messages + more
}

// Hold makes Write gather until Release.
func (o *Queue) Hold() {
	o.mu.Lock()
	o.held = true
	o.mu.Unlock()
}

// Release ends Hold: what was gathered leaves in one write.
func (o *Queue) Release() {
	o.mu.Lock()
	o.held = false
	o.flush()
	o.closeIfDone()
	o.mu.Unlock()
}

// flush writes what waits, as far as the kernel takes it, and leaves the rest
// to the goroutine.
func (o *Queue) flush() {
	for !o.writing && o.size.Load() > 0 && o.err == nil {
		front := o.waiting[0].b[o.frontTaken:]
		n := o.tryWrite(front)
		o.removeFront(n)
		if n < len(front) && o.err == nil {
			o.writing = true
			go o.writeWaiting() // ends when nothing waits or the write fails; unblocked by Close
		}
	}
}

// tryWrite writes what the kernel takes of p without waiting.
func (o *Queue) tryWrite(p []byte) int {
	if o.raw == nil {
		return 0
	}
	n, err := o.raw.write(p)
	if err != nil {
		o.writeFailed(err)
	}
	return n
}

// removeFront removes n bytes from what waits, unless fail has dropped it.
func (o *Queue) removeFront(n int) {
	if o.err != nil {
		return
	}
	o.size.Add(-int64(n))
	o.frontTaken += n
	if first := o.waiting[0]; o.frontTaken == len(first.b) {
		if first.batch == nil {
			PutBlock(first.b)
		}
		o.waiting.forgetFirst()
		o.frontTaken = 0
	}
	o.change.Broadcast()
}

// maxWrite is how much the goroutine writes at once, in bytes: what waits gets
// less in such steps.
const maxWrite = 64 << 10

func (o *Queue) writeWaiting() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.size.Load() > 0 && o.err == nil {
		front := o.waiting[0].b[o.frontTaken:]
		o.mu.Unlock()
		n, err := o.w.Write(front[:min(len(front), maxWrite)])
		o.mu.Lock()
		if err != nil {
			o.writeFailed(err)
			break
		}
		o.removeFront(n)
	}
	o.writing = false
	o.closeIfDone()
	o.change.Broadcast()
}

func (o *Queue) writeFailed(err error) {
	if o.err == nil && o.onFail != nil {
		go o.onFail() // ends at once
	}
	o.fail(err)
}

// fail ends the flow. The goroutine may still read what waited: that is left
// to the garbage collector.
func (o *Queue) fail(err error) {
	if o.err == nil {
		o.err, o.dropped = err, o.size.Load() > 0
		o.waiting, o.frontTaken = nil, 0
		o.heldBatches, o.heldBytes = nil, 0
		o.size.Store(0)
		o.change.Broadcast()
	}
}

// Waiting returns how many bytes the kernel has not taken.
func (o *Queue) Waiting() int { return int(o.size.Load()) }

// Position returns how many bytes were written, also those that wait.
func (o *Queue) Position() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.written
}

// taken returns how many of them the kernel has taken; 0 after an error.
func (o *Queue) taken() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0
	}
	return o.written - o.size.Load()
}

// Wait waits until at most n bytes wait. It returns the error that ended the
// flow, if one did.
func (o *Queue) Wait(n int) error {
	return o.WaitUnless(n, new(atomic.Bool))
}

// WaitTaken waits until the kernel has all that was written. It returns the error that
// ended the flow only if something was lost with it: who would send that again must
// not send what has arrived.
func (o *Queue) WaitTaken() error {
	err := o.Wait(0)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dropped {
		return err
	}
	return nil
}

// WaitUnless is Wait until over is set, after which wake is to be called.
func (o *Queue) WaitUnless(n int, over *atomic.Bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.Waiting() > n && o.err == nil && !over.Load() {
		o.change.Wait()
	}
	return o.err
}

// Wake makes all who wait look again.
func (o *Queue) Wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.change.Broadcast()
}

// Drain waits until nothing waits, for at most d; negative means for ever.
func (o *Queue) Drain(d time.Duration) {
	if o.Waiting() == 0 || d < 0 {
		o.Wait(0)
		return
	}
	var expired atomic.Bool
	defer time.AfterFunc(d, func() {
		expired.Store(true)
		o.Wake()
	}).Stop()
	o.WaitUnless(0, &expired)
}

// End takes no more, and closes what the flow writes to once nothing waits.
func (o *Queue) End() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ending = true
	o.closeIfDone()
}

func (o *Queue) closeIfDone() {
	if o.ending && o.size.Load() == 0 && !o.writing && o.err == nil {
		o.fail(net.ErrClosed)
		o.w.Close()
	}
}

// Fail ends the flow with err: what waits is lost, Write and Wait return err.
func (o *Queue) Fail(err error) {
	o.mu.Lock()
	o.fail(err)
	o.mu.Unlock()
}

// Close ends the flow, closes what it writes to and waits for the goroutine.
func (o *Queue) Close() error {
	o.Fail(net.ErrClosed)
	err := o.w.Close()
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.writing {
		o.change.Wait()
	}
	return err
}
