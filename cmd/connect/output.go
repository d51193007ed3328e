package connect

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// outputBufferSize is the size of the output buffer in bytes.
const outputBufferSize = 128 << 10

// output writes the output of the child. It buffers stdout until flush, and writes stderr
// at once, after a flush.
type output struct {
	stdout, stderr io.Writer
	// onFail is called once, when a write to stdout fails. Later output to stdout is
	// discarded.
	onFail func(error)

	writeStart atomic.Int64 // when the current write began, in Unix nanoseconds; 0 if there is none

	mu         sync.Mutex
	buf        []byte
	start, end int // the part of buf to write
	failed     bool
}

// space returns the free part of the buffer for stdout. The caller fills it and calls
// advance.
func (o *output) space() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buf == nil {
		o.buf = make([]byte, outputBufferSize)
	}
	if len(o.buf)-o.end < outputBufferSize/2 {
		o.write()
	}
	if o.start == o.end {
		o.start, o.end = 0, 0
	}
	return o.buf[o.end:]
}

// advance adds the first n bytes of the last space to the buffered output. There may have
// been a flush in between.
func (o *output) advance(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end += n
}

// flush writes the buffered output.
func (o *output) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.write()
}

func (o *output) write() {
	p := o.buf[o.start:o.end]
	o.start = o.end
	if len(p) == 0 || o.failed {
		return
	}
	o.writeStart.Store(time.Now().UnixNano())
	defer o.writeStart.Store(0)
	if _, err := o.stdout.Write(p); err != nil {
		o.failed = true
		go o.onFail(err) // ends at once
	}
}

// copyToStdout writes the message that r reads, and suffix.
func (o *output) copyToStdout(r io.Reader, suffix string) error {
	for {
		n, err := r.Read(o.space())
		o.advance(n)
		if err == io.EOF {
			o.advance(copy(o.space(), suffix))
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// copyToStderr writes the message that r reads to stderr. It ignores write errors.
func (o *output) copyToStderr(r io.Reader) error {
	o.flush()
	for {
		p := o.space()
		n, err := r.Read(p)
		if n > 0 {
			o.writeStart.Store(time.Now().UnixNano())
			o.stderr.Write(p[:n])
			o.writeStart.Store(0)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// blockedFor returns how long the current write has been blocked, or 0 without one.
func (o *output) blockedFor() time.Duration {
	if since := o.writeStart.Load(); since != 0 {
		return time.Since(time.Unix(0, since))
	}
	return 0
}
