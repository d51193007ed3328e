package cmd

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// logBuffer is how much of the log may wait for stderr, in bytes.
	logBuffer = 1 << 20
	// logChunk is the most that one write hands to stderr. It is small, so
	// that a slow reader is not taken for a stuck one.
	logChunk = 4 << 10
	// logTimeout is how long stderr may take nothing before it counts as stuck.
	logTimeout = time.Second
)

// logWriter stands between the log and stderr, so that a reader of stderr that
// is stuck can stop neither wspipe nor a child. Records wait in a buffer, which
// one goroutine writes out. When it is full, Write waits for room: for patience
// at most, and not at all once out has taken nothing for that long. Then the
// record is lost. When out moves again, one line tells how many were.
// A logWriter is safe for concurrent use.
type logWriter struct {
	out     io.Writer
	limit   int           // bytes that may wait
	timeout time.Duration // see logTimeout
	wake    chan struct{} // holds a token when the goroutine has something to look at
	done    chan struct{} // closed by the goroutine at its end

	mu         sync.Mutex
	queue      bytes.Buffer  // what out has not taken yet; empty means idle
	progress   time.Time     // when out last took something, or stopped being idle
	progressed chan struct{} // closed, and replaced, at each progress
	lost       int           // records lost and not told of yet
	lostLine   func(lost int) string
	closed     bool // no more records are taken
	abandoned  bool // no more are written either
}

// newLogWriter returns a logWriter in front of out. It must be closed.
func newLogWriter(out io.Writer, limit int, patience time.Duration) *logWriter {
	w := &logWriter{
		out:        out,
		limit:      limit,
		timeout:    patience,
		wake:       make(chan struct{}, 1),
		done:       make(chan struct{}),
		progressed: make(chan struct{}),
		lostLine:   func(lost int) string { return fmt.Sprintf("wspipe: %d log records lost\n", lost) },
	}
	go w.drain() // ends after Close, once out lets go of the last write
	return w
}

// OnLost sets how the line about lost records reads.
func (w *logWriter) OnLost(line func(lost int) string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lostLine = line
}

// Write takes a record or loses it. It never fails.
func (w *logWriter) Write(record []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.waitForSpace(len(record)) {
		w.lost++
		return len(record), nil
	}
	if w.queue.Len() == 0 {
		w.progress = time.Now()
	}
	w.queue.Write(record)
	w.wakeDrain()
	return len(record), nil
}

// Close writes what still waits, for patience at most. What is written to w
// from now on is lost. It does not close out.
func (w *logWriter) Close() error {
	w.mu.Lock()
	w.closed = true
	w.noteProgress()
	w.wakeDrain()
	w.mu.Unlock()

	timer := time.NewTimer(w.timeout)
	defer timer.Stop()
	select {
	case <-w.done:
	case <-timer.C:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.abandoned = true
	return nil
}

// waitForSpace reports whether there is room for n bytes, or was in time. A
// record longer than the whole buffer fits into an empty one.
func (w *logWriter) waitForSpace(n int) bool {
	since := time.Now()
	for !w.closed {
		if w.queue.Len() == 0 || w.queue.Len()+n <= w.limit {
			return true
		}
		if w.progress.Before(since) {
			since = w.progress
		}
		patience := w.timeout - time.Since(since)
		if patience <= 0 {
			return false
		}
		w.waitForProgress(patience)
	}
	return false
}

// waitForProgress lets go of the lock until out has moved, for d at most.
func (w *logWriter) waitForProgress(d time.Duration) {
	moved, timer := w.progressed, time.NewTimer(d)
	defer timer.Stop()
	w.mu.Unlock()
	defer w.mu.Lock()
	select {
	case <-moved:
	case <-timer.C:
	}
}

// drain writes out what waits, until w is closed and nothing does.
func (w *logWriter) drain() {
	defer close(w.done)
	chunk := make([]byte, logChunk)
	for {
		n, ended := w.next(chunk)
		switch {
		case ended:
			return
		case n == 0:
			<-w.wake
		default:
			_, err := w.out.Write(chunk[:n])
			w.wrote(chunk[:n], err)
		}
	}
}

// next copies to chunk what out gets next: whole lines if one fits.
func (w *logWriter) next(chunk []byte) (n int, ended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n = copy(chunk, w.queue.Bytes())
	if end := bytes.LastIndexByte(chunk[:n], '\n') + 1; end > 0 {
		n = end
	}
	return n, w.abandoned || w.closed && n == 0
}

// wrote notes that out has taken chunk, or refused it with err.
func (w *logWriter) wrote(chunk []byte, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue.Next(len(chunk))
	if err != nil {
		w.lost += bytes.Count(chunk, []byte("\n"))
	} else if w.lost > 0 {
		w.queue.WriteString(w.lostLine(w.lost))
		w.lost = 0
	}
	w.noteProgress()
}

// noteProgress tells everybody who waits for room to look again.
func (w *logWriter) noteProgress() {
	w.progress = time.Now()
	close(w.progressed)
	w.progressed = make(chan struct{})
}

// wakeDrain tells drain to look again.
func (w *logWriter) wakeDrain() {
	select {
	case w.wake <- struct{}{}:
	default: // it has been told
	}
}
