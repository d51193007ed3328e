package wire

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Queue writes bytes into a kernel buffer, of a socket or a pipe, in order. Write never
// blocks: what the kernel does not accept at once is queued in memory, and a goroutine
// writes it, which runs only while something is queued. Producers bound that memory with
// Wait. Methods may be called concurrently.
type Queue struct {
	w   io.WriteCloser
	raw *rawWriter // nil if w has none: then the goroutine writes every byte

	tap atomic.Pointer[Tap] // nil except while somebody traces the connection

	// onFail, if set, is called in its own goroutine when a write fails.
	onFail func()

	size       atomic.Int64 // bytes in waiting; changed with mu held
	mu         sync.Mutex
	change     sync.Cond // on mu: waiting became shorter, or err was set
	waiting    segments  // what the kernel has not accepted; no segment is empty
	frontTaken int       // bytes of waiting[0] that it has accepted
	written    int64     // total bytes written and queued
	held       bool      // Hold was called
	ending     bool      // End was called
	sealed     bool      // Seal was called
	dataEnd    bool      // EndData was called
	open       bool      // the data written last ends within a message
	writing    bool      // the goroutine runs
	err        error     // why nothing more is written
	dropped    bool      // bytes were queued when err was set
	sent       sentBatches

	paused      atomic.Bool // between Pause and Continue; changed with mu held
	heldBatches segments    // written during the pause
	heldBytes   int         // in heldBatches
}

// MaxUnsent is how many bytes may be queued for a client before the child must wait for it, if
// the child waits for that client at all (see bridge.SlowPolicy).
const MaxUnsent = 64 << 10

// NewQueue returns a Queue that writes to w. Close and End close w.
func NewQueue(w io.WriteCloser) *Queue {
	q := &Queue{w: w, raw: newRawWriter(w)}
	q.change.L = &q.mu
	return q
}

// Write writes or queues all of p, which it does not retain. After End it returns
// net.ErrClosed, and after a failed write, Fail or Close that error.
func (q *Queue) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.write(p)
}

// write is Write. mu is held.
func (q *Queue) write(p []byte) (int, error) {
	switch {
	case q.err != nil:
		return 0, q.err
	case q.ending:
		return 0, net.ErrClosed
	}
	q.written += int64(len(p))
	n := 0
	if !q.held && q.size.Load() == 0 {
		if n = q.tryWrite(p); n == len(p) || q.err != nil {
			return n, q.err
		}
	}
	q.appendCopy(p[n:])
	if !q.held {
		q.flush()
	}
	return len(p), q.err
}

// WriteData is Write for data frames: it returns net.ErrClosed after a close frame.
func (q *Queue) WriteData(p []byte) error { return q.WritePart(p, false) }

// WritePart is WriteData for data that ends within a message if open is set.
func (q *Queue) WritePart(p []byte, open bool) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.dataEnd {
		return net.ErrClosed
	}
	q.open = open
	_, err := q.write(p)
	return err
}

// WriteBetween writes p, unless the data before it ends within a message or no more data
// may follow.
func (q *Queue) WriteBetween(p []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.open && !q.dataEnd && !q.sealed {
		q.write(p)
	}
}

// EndData writes last, unless the data before it ends within a message, and makes
// WriteData fail.
func (q *Queue) EndData(last []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.open && !q.dataEnd {
		q.write(last)
	}
	q.dataEnd = true
}

// appendCopy queues a copy of p.
func (q *Queue) appendCopy(p []byte) {
	q.size.Add(int64(len(p)))
	for len(p) > 0 {
		last := len(q.waiting) - 1
		if last < 0 || q.waiting[last].batch != nil || len(q.waiting[last].b) == BlockSize {
			q.waiting = append(q.waiting, segment{b: GetBlock()[:0]})
			last++
		}
		b := q.waiting[last].b
		n := copy(b[len(b):BlockSize], p)
		q.waiting[last].b = b[:len(b)+n]
		p = p[n:]
	}
}

// WriteBatch writes or queues b without copying it; b must not change any more. It returns
// how many bytes are now queued, or held back by a pause. After Seal, End or an error it
// does nothing and returns 0.
func (q *Queue) WriteBatch(b *Batch) (waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.err != nil || q.ending || q.sealed:
		return 0
	case q.paused.Load():
		q.holdBatch(b)
		return q.Waiting() + q.heldBytes
	}
	q.written += int64(len(b.Frames))
	q.open = b.Open
	n := 0
	if !q.held && q.size.Load() == 0 {
		n = q.tryWrite(b.Frames)
	}
	if n == len(b.Frames) {
		q.sent.add(b)
	}
	if n < len(b.Frames) && q.err == nil {
		q.size.Add(int64(len(b.Frames) - n))
		q.waiting.addBatch(segment{b: b.Frames[n:], batch: b, cut: n > 0})
		if !q.held {
			q.flush()
		}
	}
	return q.Waiting()
}

// Seal queues the batches that a pause holds back, and makes later calls of WriteBatch and
// Pause do nothing.
func (q *Queue) Seal() {
	q.mu.Lock()
	q.releaseBatches()
	q.sealed = true
	q.mu.Unlock()
}

// DropBatches drops messages, oldest first, until at most limit bytes wait, and returns how many.
// It keeps the newest batch, and messages that may be partly written or are not complete.
func (q *Queue) DropBatches(limit int) (messages int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	keep := max(0, 1-len(q.heldBatches))
	messages, size := q.waiting.dropBatches(1, q.Waiting()+q.heldBytes-limit, keep) // not the first, which may be partly written
	q.size.Add(-int64(size))
	more, size := q.heldBatches.dropBatches(0, q.Waiting()+q.heldBytes-limit, 1)
	q.heldBytes -= size
	q.change.Broadcast()
	return messages + more
}

// Hold makes writes wait in the queue until Release.
func (q *Queue) Hold() {
	q.mu.Lock()
	q.held = true
	q.mu.Unlock()
}

// Release ends Hold and writes what is queued, in one system call if possible.
func (q *Queue) Release() {
	q.mu.Lock()
	q.held = false
	q.flush()
	q.closeIfDone()
	q.mu.Unlock()
}

// flush writes what the kernel accepts and leaves the rest to the goroutine.
func (q *Queue) flush() {
	for !q.writing && q.size.Load() > 0 && q.err == nil {
		front := q.waiting[0].b[q.frontTaken:]
		n := q.tryWrite(front)
		q.removeFront(n)
		if n < len(front) && q.err == nil {
			q.writing = true
			go q.writeWaiting() // ends when the queue is empty or the write fails; unblocked by Close
		}
	}
}

// tryWrite writes what the kernel accepts of p without waiting.
func (q *Queue) tryWrite(p []byte) int {
	if q.raw == nil {
		return 0
	}
	n, err := q.raw.write(p)
	q.tapSent(p[:n])
	if err != nil {
		q.writeFailed(err)
	}
	return n
}

// removeFront removes n bytes from the front of the queue, unless fail has cleared it.
func (q *Queue) removeFront(n int) {
	if q.err != nil {
		return
	}
	q.size.Add(-int64(n))
	q.frontTaken += n
	if first := q.waiting[0]; q.frontTaken == len(first.b) {
		if first.batch == nil {
			PutBlock(first.b)
		} else {
			q.sent.add(first.batch)
		}
		q.waiting.forgetFirst()
		q.frontTaken = 0
	}
	q.change.Broadcast()
}

// maxWrite is how many bytes the goroutine writes at once. The queue shrinks in these steps.
const maxWrite = 64 << 10

func (q *Queue) writeWaiting() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.size.Load() > 0 && q.err == nil {
		front := q.waiting[0].b[q.frontTaken:]
		front = front[:min(len(front), maxWrite)]
		q.tapSent(front)
		q.mu.Unlock()
		n, err := q.w.Write(front)
		q.mu.Lock()
		if err != nil {
			q.writeFailed(err)
			break
		}
		q.removeFront(n)
	}
	q.writing = false
	q.closeIfDone()
	q.change.Broadcast()
}

func (q *Queue) writeFailed(err error) {
	if q.err == nil && q.onFail != nil {
		go q.onFail() // ends at once
	}
	q.fail(err)
}

// fail clears the queue and sets err. The goroutine may still read a block, so blocks are
// left to the garbage collector.
func (q *Queue) fail(err error) {
	if q.err == nil {
		q.err, q.dropped = err, q.size.Load() > 0
		q.waiting, q.frontTaken = nil, 0
		q.heldBatches, q.heldBytes = nil, 0
		q.size.Store(0)
		q.change.Broadcast()
	}
}

// Waiting returns how many bytes are queued.
func (q *Queue) Waiting() int { return int(q.size.Load()) }

// Position returns how many bytes were written since NewQueue, including those queued.
func (q *Queue) Position() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.written
}

// taken returns how many bytes the kernel has accepted, or 0 after an error.
func (q *Queue) taken() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return 0
	}
	return q.written - q.size.Load()
}

// Wait waits until at most n bytes are queued. It returns the error that ended the queue,
// if any.
func (q *Queue) Wait(n int) error {
	return q.WaitUnless(n, new(atomic.Bool))
}

// WaitTaken waits until the kernel has accepted everything. It returns an error only if
// queued bytes were lost: a caller that sends them again must not send others twice.
func (q *Queue) WaitTaken() error {
	err := q.Wait(0)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.dropped {
		return err
	}
	return nil
}

// WaitUnless is Wait that also returns once over is set. Call Wake after setting it.
func (q *Queue) WaitUnless(n int, over *atomic.Bool) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.Waiting() > n && q.err == nil && !over.Load() {
		q.change.Wait()
	}
	return q.err
}

// Wake makes waiting calls check their conditions again.
func (q *Queue) Wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.change.Broadcast()
}

// Drain waits until nothing is queued, for at most d. Negative means without limit.
func (q *Queue) Drain(d time.Duration) {
	if q.Waiting() == 0 || d < 0 {
		q.Wait(0)
		return
	}
	var expired atomic.Bool
	defer time.AfterFunc(d, func() {
		expired.Store(true)
		q.Wake()
	}).Stop()
	q.WaitUnless(0, &expired)
}

// End makes Write fail, and closes the underlying writer once nothing is queued.
func (q *Queue) End() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ending = true
	q.closeIfDone()
}

func (q *Queue) closeIfDone() {
	if q.ending && q.size.Load() == 0 && !q.writing && q.err == nil {
		q.fail(net.ErrClosed)
		q.w.Close()
	}
}

// Fail drops what is queued. From then on Write and Wait return err.
func (q *Queue) Fail(err error) {
	q.mu.Lock()
	q.fail(err)
	q.mu.Unlock()
}

// Close drops what is queued, closes the underlying writer and waits for the goroutine.
func (q *Queue) Close() error {
	q.Fail(net.ErrClosed)
	err := q.w.Close()
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.writing {
		q.change.Wait()
	}
	return err
}
