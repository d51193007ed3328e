package connect

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// outputBuffer is how much of the output is gathered, in bytes, while more is
// there already.
const outputBuffer = 128 << 10

// output writes what the program wrote. Bytes for stdout are gathered until
// flush, those for stderr are written at once, after these.
type output struct {
	stdout, stderr io.Writer
	// onFail is called once, when stdout takes nothing any more. All that follows
	// is dropped.
	onFail func(error)

	since atomic.Int64 // when the write going on began, in Unix nanoseconds; 0 if there is none

	mu         sync.Mutex
	buf        []byte
	start, end int // what is gathered in buf
	failed     bool
}

// room returns where the next bytes for stdout go, before wrote tells how many
// these are.
func (o *output) room() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buf == nil {
		o.buf = make([]byte, outputBuffer)
	}
	if len(o.buf)-o.end < outputBuffer/2 {
		o.write()
	}
	if o.start == o.end {
		o.start, o.end = 0, 0
	}
	return o.buf[o.end:]
}

// wrote tells that n bytes have been put where room said. There may have been a
// flush since.
func (o *output) wrote(n int) {
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
	o.since.Store(time.Now().UnixNano())
	defer o.since.Store(0)
	if _, err := o.stdout.Write(p); err != nil {
		o.failed = true
		go o.onFail(err) // ends at once
	}
}

// copyToStdout writes what comes from r, which is a message, and suffix.
func (o *output) copyToStdout(r io.Reader, suffix string) error {
	for {
		n, err := r.Read(o.room())
		o.wrote(n)
		if err == io.EOF {
			o.wrote(copy(o.room(), suffix))
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
		p := o.room()
		n, err := r.Read(p)
		if n > 0 {
			o.since.Store(time.Now().UnixNano())
			o.stderr.Write(p[:n])
			o.since.Store(0)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// stuckFor returns how long a write has been going on.
func (o *output) stuckFor() time.Duration {
	if since := o.since.Load(); since != 0 {
		return time.Since(time.Unix(0, since))
	}
	return 0
}
