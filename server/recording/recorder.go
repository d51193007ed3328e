// Package recording writes the recordings of sessions, in asciicast v2, and replays them.
package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"wspipe/bridge/framing"
)

// Extension is that of recordings.
const Extension = ".cast"

// Header is the first line of a recording.
type Header struct {
	Version   int    `json:"version"`
	Width     int    `json:"width"`
	Height    int    `json:"height"`
	Timestamp int64  `json:"timestamp"` // Unix time
	Session   *About `json:"wspipe,omitempty"`
}

// About says of which session a recording is. Others than wspipe's have none.
type About struct {
	Endpoint string `json:"endpoint"`
	Session  string `json:"session"`
	User     string `json:"user"`
}

// The codes of events. Of ours, other players show the output and the sizes.
const (
	codeOutput = 'o'
	codeStderr = 'e'
	codeInput  = 'i'
	codeResize = 'r'
	codeMarker = 'm'
)

const (
	// flushInterval is how long an event may wait before it is written.
	flushInterval = 250 * time.Millisecond
	// maxPending bounds the data that waits, in bytes. When it is reached, the child waits.
	maxPending = 4 << 20
	// maxWait is how long the child waits for the disk. After that there is no recording.
	maxWait = time.Second
	// maxClose is how long Disconnect and Exit wait for the disk.
	maxClose = 2 * time.Second
)

var errTooSlow = errors.New("the disk is too slow")

// Recorder records a session, until its child has exited and its clients have disconnected.
// The methods of a nil Recorder do nothing. They may be called concurrently.
type Recorder struct {
	log   *slog.Logger
	path  string
	start time.Time
	wake  chan struct{} // gets a value when there is something to write
	hurry chan struct{} // closed when it should not wait for more
	done  chan struct{} // closed when the file is closed

	mu      sync.Mutex
	room    sync.Cond // on mu: less is pending, or err is set
	events  []event   // to be written
	data    []byte    // of events
	clients int
	exit    string // how the child has ended, or ""
	closed  bool   // there are no more events
	err     error  // why nothing more is written
}

// event is an event that waits to be written.
type event struct {
	at   time.Duration
	code byte
	size int // of its data
}

// Start creates the file of a session in dir. If that fails, it logs why and returns nil.
func Start(dir string, h Header, log *slog.Logger) *Recorder {
	now := time.Now()
	h.Version, h.Timestamp = 2, now.Unix()
	path := filepath.Join(dir, now.UTC().Format("20060102T150405Z-")+h.Session.Session+Extension)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		log.Error("cannot record", "error", err)
		return nil
	}
	return begin(f, h, log)
}

// begin begins a recording in f, which is empty.
func begin(f *os.File, h Header, log *slog.Logger) *Recorder {
	r := &Recorder{log: log, path: f.Name(), start: time.Now(), wake: make(chan struct{}, 1), hurry: make(chan struct{}), done: make(chan struct{})}
	r.room.L = &r.mu
	header, _ := json.Marshal(h) // cannot fail
	w := &writer{Recorder: r, file: f, buf: append(header, '\n')}
	go w.run() // ends when the recording does; unblocked by Disconnect, Exit and errors of the disk
	return r
}

// Output records what the child has written to stdout, Stderr to stderr.
func (r *Recorder) Output(p []byte) { r.add(codeOutput, p) }

// Stderr is described at Output.
func (r *Recorder) Stderr(p []byte) { r.add(codeStderr, p) }

// Input records what the child got on stdin.
func (r *Recorder) Input(p []byte) { r.add(codeInput, p) }

// Resize records a size of the terminal.
func (r *Recorder) Resize(cols, rows int) { r.add(codeResize, fmt.Appendf(nil, "%dx%d", cols, rows)) }

// Connect records that the client at this address has connected.
func (r *Recorder) Connect(address string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	r.clients++
	r.mu.Unlock()
	r.add(codeMarker, []byte("connect "+address))
}

// Disconnect records how a client was disconnected. After the last event it waits until the
// file is closed.
func (r *Recorder) Disconnect(code int, reason string) {
	if r == nil {
		return
	}
	r.add(codeMarker, fmt.Appendf(nil, "disconnect %d %s", code, reason))
	r.mu.Lock()
	r.clients--
	r.mu.Unlock()
	r.closeIfOver()
}

// Exit records that the child has ended: "exit 3" or "signal TERM". The event comes last, after
// those of clients that are connected. After it, Exit waits until the file is closed.
func (r *Recorder) Exit(how string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	r.exit = how
	r.mu.Unlock()
	r.closeIfOver()
}

func (r *Recorder) closeIfOver() {
	r.mu.Lock()
	over := r.exit != "" && r.clients == 0 && !r.closed
	if over {
		if r.err == nil { // or the recording has a gap
			r.append(codeMarker, []byte(r.exit))
		}
		r.closed = true
		close(r.hurry)
	}
	r.mu.Unlock()
	if over {
		r.wakeWriter()
		select {
		case <-r.done:
		case <-time.After(maxClose):
		}
	}
}

// add adds an event. If too much is pending, it waits for the disk, up to maxWait.
func (r *Recorder) add(code byte, p []byte) {
	if r == nil || len(p) == 0 {
		return
	}
	r.mu.Lock()
	if len(r.data)+len(p) > maxPending && r.err == nil {
		late := time.AfterFunc(maxWait, func() { r.fail(errTooSlow) })
		for len(r.data)+len(p) > maxPending && r.err == nil {
			r.room.Wait()
		}
		late.Stop()
	}
	if r.err == nil && !r.closed {
		r.append(code, p)
	}
	r.mu.Unlock()
	r.wakeWriter()
}

// append adds an event. r.mu is held.
func (r *Recorder) append(code byte, p []byte) {
	r.events = append(r.events, event{time.Since(r.start), code, len(p)})
	r.data = append(r.data, p...)
}

func (r *Recorder) wakeWriter() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// fail ends the recording, but not the session.
func (r *Recorder) fail(err error) {
	r.mu.Lock()
	first := r.err == nil
	if first {
		r.err = err
		r.events, r.data = nil, nil
		r.room.Broadcast()
	}
	r.mu.Unlock()
	if first {
		r.log.Error("recording stopped", "file", r.path, "error", err)
	}
	r.wakeWriter()
}

// take returns what is to be written, and whether that is all. The caller gives back the
// memory of what it took before.
func (r *Recorder) take(events []event, data []byte) ([]event, []byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	events, r.events = r.events, events[:0]
	data, r.data = r.data, data[:0]
	r.room.Broadcast()
	return events, data, r.closed || r.err != nil
}

// writer writes the file of a Recorder.
type writer struct {
	*Recorder
	file  *os.File
	size  int64           // of what was written
	buf   []byte          // to be written
	tails map[byte][]byte // of each code, the beginning of a character
}

// maxKept is how much memory is kept for the next events, in bytes.
const maxKept = 64 << 10

// run writes events until there are no more.
func (w *writer) run() {
	defer close(w.done)
	defer w.file.Close()
	w.tails = make(map[byte][]byte)
	if !w.flush() { // the header
		return
	}
	var events []event
	var data []byte
	for last := false; !last; {
		<-w.wake
		select {
		case <-w.hurry:
		case <-time.After(flushInterval):
		}
		if cap(data) > maxKept {
			events, data = nil, nil
		}
		events, data, last = w.take(events, data)
		if last && len(events) > 0 { // how the child has ended, after what it wrote
			for _, code := range []byte{codeInput, codeStderr, codeOutput} {
				final := len(events) - 1
				events = slices.Insert(events, final, event{events[final].at, code, 0})
			}
		}
		if !w.write(events, data, last) {
			return
		}
	}
}

// write writes events. If they are the last, the empty ones are the ends of streams.
func (w *writer) write(events []event, data []byte, last bool) bool {
	for _, e := range events {
		w.encode(e, data[:e.size], last && e.size == 0)
		data = data[e.size:]
		if len(w.buf) >= maxKept && !w.flush() {
			return false
		}
	}
	return w.flush()
}

// encode appends the line of an event to buf. A character that p begins, and the next event
// with this code may end, waits for that, unless whole is set.
func (w *writer) encode(e event, p []byte, whole bool) {
	p = append(w.tails[e.code], p...)
	n := len(p)
	if !whole {
		n -= framing.IncompleteTail(p)
	}
	w.tails[e.code] = append([]byte(nil), p[n:]...)
	if n == 0 {
		return
	}
	w.buf = append(w.buf, '[')
	w.buf = strconv.AppendFloat(w.buf, e.at.Seconds(), 'f', 6, 64)
	w.buf = append(w.buf, `, "`...)
	w.buf = append(w.buf, e.code)
	w.buf = append(w.buf, `", "`...)
	w.buf = framing.AppendJSON(w.buf, p[:n])
	w.buf = append(w.buf, "\"]\n"...)
}

// flush writes buf. After an error, the file ends with the last line that is complete.
func (w *writer) flush() bool {
	n, err := w.file.Write(w.buf)
	if err != nil {
		if w.size == 0 {
			os.Remove(w.path)
		}
		w.file.Truncate(w.size + int64(bytes.LastIndexByte(w.buf[:n], '\n')+1))
		w.fail(err)
		return false
	}
	w.size += int64(n)
	if w.buf = w.buf[:0]; cap(w.buf) > 2*maxKept {
		w.buf = nil
	}
	return true
}
