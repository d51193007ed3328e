package bridge

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Outflow puts bytes into a kernel buffer, a socket's or a pipe's, in order.
// Write never blocks: what the kernel does not take at once waits in memory,
// and a goroutine that lives as long as something waits writes it. The caller
// bounds that memory with Wait. Its methods may be called concurrently.
type Outflow struct {
	w   io.WriteCloser
	raw *rawWriter // nil if w has none: then every byte takes the goroutine

	// onFail, if set, is called in a goroutine of its own when a write fails.
	onFail func()

	size    atomic.Int64 // of what waits, in bytes; changed with mu held
	mu      sync.Mutex
	change  sync.Cond // on mu: less waits, or err is set
	waiting segments  // what the kernel has not taken; none is empty
	taken   int       // of waiting[0]
	total   int64     // bytes written and waiting, ever
	held    bool      // Hold was called
	ending  bool      // End was called
	sealed  bool      // seal was called
	dataEnd bool      // endData was called
	writing bool      // the goroutine runs
	err     error     // why nothing more is written
	dropped bool      // and something waited then

	paused atomic.Bool // between pause and proceed; changed with mu held
	kept   segments    // bursts that have come meanwhile
	behind int         // of them, in bytes
}

// newOutflow returns an Outflow into w, which it closes with Close.
func newOutflow(w io.WriteCloser) *Outflow {
	o := &Outflow{w: w, raw: newRawWriter(w)}
	o.change.L = &o.mu
	return o
}

// Write takes all of p. It fails only if an earlier write, End or Close has
// ended the flow.
func (o *Outflow) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.write(p)
}

// write is Write with mu held.
func (o *Outflow) write(p []byte) (int, error) {
	switch {
	case o.err != nil:
		return 0, o.err
	case o.ending:
		return 0, net.ErrClosed
	}
	o.total += int64(len(p))
	n := 0
	if !o.held && o.size.Load() == 0 {
		if n = o.try(p); n == len(p) || o.err != nil {
			return n, o.err
		}
	}
	o.keep(p[n:])
	if !o.held {
		o.flush()
	}
	return len(p), o.err
}

// WriteData is Write for data frames, which may not follow a close frame.
func (o *Outflow) WriteData(p []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dataEnd {
		return net.ErrClosed
	}
	_, err := o.write(p)
	return err
}

// endData makes WriteData fail from now on.
func (o *Outflow) endData() {
	o.mu.Lock()
	o.dataEnd = true
	o.mu.Unlock()
}

// keep copies p behind what waits.
func (o *Outflow) keep(p []byte) {
	o.size.Add(int64(len(p)))
	for len(p) > 0 {
		last := len(o.waiting) - 1
		if last < 0 || o.waiting[last].burst != nil || len(o.waiting[last].b) == blockSize {
			o.waiting = append(o.waiting, segment{b: getBlock()[:0]})
			last++
		}
		b := o.waiting[last].b
		n := copy(b[len(b):blockSize], p)
		o.waiting[last].b = b[:len(b)+n]
		p = p[n:]
	}
}

// writeBurst is Write for what is kept as it is, not copied, and may not change
// any more. It returns how much waits now, or is kept back by a pause.
func (o *Outflow) writeBurst(b *burst) (waiting int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err != nil || o.ending || o.sealed:
		return 0
	case o.paused.Load():
		o.keepBack(b)
		return o.Waiting() + o.behind
	}
	o.total += int64(len(b.frames))
	n := 0
	if !o.held && o.size.Load() == 0 {
		n = o.try(b.frames)
	}
	if n < len(b.frames) && o.err == nil {
		o.size.Add(int64(len(b.frames) - n))
		o.waiting.addBurst(segment{b: b.frames[n:], burst: b, cut: n > 0})
		if !o.held {
			o.flush()
		}
	}
	return o.Waiting()
}

// seal makes writeBurst drop what comes from now on, and pause do nothing. What
// is kept back goes first.
func (o *Outflow) seal() {
	o.mu.Lock()
	o.letGo()
	o.sealed = true
	o.mu.Unlock()
}

// dropBursts drops bursts of whole messages, oldest first, until no more than
// limit bytes wait or are kept back, and returns how many messages these were.
func (o *Outflow) dropBursts(limit int) (messages int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	messages, size := o.waiting.dropBursts(1, o.Waiting()+o.behind-limit) // the first may be being written
	o.size.Add(-int64(size))
	more, size := o.kept.dropBursts(0, o.Waiting()+o.behind-limit)
	o.behind -= size
	o.change.Broadcast()
	return messages + more
}

// Hold makes Write gather until Release.
func (o *Outflow) Hold() {
	o.mu.Lock()
	o.held = true
	o.mu.Unlock()
}

// Release ends Hold: what was gathered leaves in one write.
func (o *Outflow) Release() {
	o.mu.Lock()
	o.held = false
	o.flush()
	o.closeIfDone()
	o.mu.Unlock()
}

// flush writes what waits, as far as the kernel takes it, and leaves the rest
// to the goroutine.
func (o *Outflow) flush() {
	for !o.writing && o.size.Load() > 0 && o.err == nil {
		front := o.waiting[0].b[o.taken:]
		n := o.try(front)
		o.take(n)
		if n < len(front) && o.err == nil {
			o.writing = true
			go o.writeWaiting() // ends when nothing waits or the write fails; unblocked by Close
		}
	}
}

// try writes what the kernel takes of p without waiting.
func (o *Outflow) try(p []byte) int {
	if o.raw == nil {
		return 0
	}
	n, err := o.raw.write(p)
	if err != nil {
		o.writeFailed(err)
	}
	return n
}

// take removes n bytes from what waits, unless fail has dropped it.
func (o *Outflow) take(n int) {
	if o.err != nil {
		return
	}
	o.size.Add(-int64(n))
	o.taken += n
	if first := o.waiting[0]; o.taken == len(first.b) {
		if first.burst == nil {
			putBlock(first.b)
		}
		o.waiting.forgetFirst()
		o.taken = 0
	}
	o.change.Broadcast()
}

// maxWrite is how much the goroutine writes at once, in bytes: what waits gets
// less in such steps.
const maxWrite = 64 << 10

func (o *Outflow) writeWaiting() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.size.Load() > 0 && o.err == nil {
		front := o.waiting[0].b[o.taken:]
		o.mu.Unlock()
		n, err := o.w.Write(front[:min(len(front), maxWrite)])
		o.mu.Lock()
		if err != nil {
			o.writeFailed(err)
			break
		}
		o.take(n)
	}
	o.writing = false
	o.closeIfDone()
	o.change.Broadcast()
}

func (o *Outflow) writeFailed(err error) {
	if o.err == nil && o.onFail != nil {
		go o.onFail() // ends at once
	}
	o.fail(err)
}

// fail ends the flow. The goroutine may still read what waited: that is left
// to the garbage collector.
func (o *Outflow) fail(err error) {
	if o.err == nil {
		o.err, o.dropped = err, o.size.Load() > 0
		o.waiting, o.taken = nil, 0
		o.kept, o.behind = nil, 0
		o.size.Store(0)
		o.change.Broadcast()
	}
}

// Waiting returns how many bytes the kernel has not taken.
func (o *Outflow) Waiting() int { return int(o.size.Load()) }

// position returns how many bytes were written, also those that wait.
func (o *Outflow) position() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.total
}

// handed returns how many of them the kernel has taken; 0 after an error.
func (o *Outflow) handed() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0
	}
	return o.total - o.size.Load()
}

// Wait waits until at most n bytes wait. It returns the error that ended the
// flow, if one did.
func (o *Outflow) Wait(n int) error {
	return o.waitUnless(n, new(atomic.Bool))
}

// Taken waits until the kernel has all that was written. It returns the error that
// ended the flow only if something was lost with it: who would send that again must
// not send what has arrived.
func (o *Outflow) Taken() error {
	err := o.Wait(0)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dropped {
		return err
	}
	return nil
}

// waitUnless is Wait until over is set, after which wake is to be called.
func (o *Outflow) waitUnless(n int, over *atomic.Bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.Waiting() > n && o.err == nil && !over.Load() {
		o.change.Wait()
	}
	return o.err
}

// wake makes all who wait look again.
func (o *Outflow) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.change.Broadcast()
}

// Drain waits until nothing waits, for at most d; negative means for ever.
func (o *Outflow) Drain(d time.Duration) {
	if o.Waiting() == 0 || d < 0 {
		o.Wait(0)
		return
	}
	var expired atomic.Bool
	defer time.AfterFunc(d, func() {
		expired.Store(true)
		o.wake()
	}).Stop()
	o.waitUnless(0, &expired)
}

// End takes no more, and closes what the flow writes to once nothing waits.
func (o *Outflow) End() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ending = true
	o.closeIfDone()
}

func (o *Outflow) closeIfDone() {
	if o.ending && o.size.Load() == 0 && !o.writing && o.err == nil {
		o.fail(net.ErrClosed)
		o.w.Close()
	}
}

// Fail ends the flow with err: what waits is lost, Write and Wait return err.
func (o *Outflow) Fail(err error) {
	o.mu.Lock()
	o.fail(err)
	o.mu.Unlock()
}

// Close ends the flow, closes what it writes to and waits for the goroutine.
func (o *Outflow) Close() error {
	o.Fail(net.ErrClosed)
	err := o.w.Close()
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.writing {
		o.change.Wait()
	}
	return err
}
