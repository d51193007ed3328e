package connect

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// outputBufferSize is how much of the output is gathered, in bytes, while more is
// there already.
const outputBufferSize = 128 << 10

// output writes what the program wrote. Bytes for stdout are gathered until
// flush, those for stderr are written at once, after these.
type output struct {
	stdout, stderr io.Writer
	// onFail is called once, when stdout takes nothing any more. All that follows
	// is dropped.
	onFail func(error)

	writeStart atomic.Int64 // when the write going on began, in Unix nanoseconds; 0 if there is none

	mu         sync.Mutex
	buf        []byte
	start, end int // what is gathered in buf
	failed     bool
}

// space returns where the next bytes for stdout go, before wrote tells how many
// these are.
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

// advance tells that n bytes have been put where room said. There may have been a
// flush since.
func (o *output) advance(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end += n
}

// flush writes what is gathered.
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

// copyToStdout writes what comes from r, which is a message, and suffix.
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

// copyToStderr writes what comes from r. A stderr that takes nothing does no
// harm.
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

// blockedFor returns how long a write has been going on.
func (o *output) blockedFor() time.Duration {
	if since := o.writeStart.Load(); since != 0 {
		return time.Since(time.Unix(0, since))
	}
	return 0
}
