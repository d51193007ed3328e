package cmd

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// logBuffer bounds the log records queued for stderr, in bytes.
	logBuffer = 1 << 20
	// logChunk bounds one write to stderr, in bytes. It is small, so that a slow reader
	// is not mistaken for a blocked one.
	logChunk = 4 << 10
	// logTimeout is how long stderr may accept nothing before it counts as blocked.
	logTimeout = time.Second
)

// logWriter decouples the log from stderr, so that a blocked reader of stderr blocks neither wspipe
// nor a child. Write appends records to a queue, and one goroutine writes them to out. If the queue
// is full, Write waits for space until out has accepted nothing for timeout, then drops the record.
// Once out accepts data again, a line with the number of lost records follows. A logWriter is safe
// for concurrent use.
type logWriter struct {
	out     io.Writer
	limit   int           // of queue, in bytes
	timeout time.Duration // see logTimeout
	wake    chan struct{} // holds a token if drain must look at the queue
	done    chan struct{} // closed when drain returns

	mu         sync.Mutex
	queue      bytes.Buffer  // not yet accepted by out; empty means idle
	progress   time.Time     // when out last accepted data, or stopped being idle
	progressed chan struct{} // closed and replaced whenever out accepts data
	lost       int           // records lost since the last line about lost records
	lostLine   func(lost int) string
	closed     bool // new records are dropped
	abandoned  bool // queued records are dropped, too
}

// newLogWriter returns a logWriter that writes to out. The caller must close it.
func newLogWriter(out io.Writer, limit int, timeout time.Duration) *logWriter {
	w := &logWriter{
		out:        out,
		limit:      limit,
		timeout:    timeout,
		wake:       make(chan struct{}, 1),
		done:       make(chan struct{}),
		progressed: make(chan struct{}),
		lostLine:   func(lost int) string { return fmt.Sprintf("wspipe: %d log records lost\n", lost) },
	}
	go w.drain() // ends after Close, once the last write to out returns
	return w
}

// OnLost sets the function that formats the line about lost records.
func (w *logWriter) OnLost(line func(lost int) string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lostLine = line
}

// Write queues or drops a record. It never fails.
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

// Close waits until the queue is written, for timeout at most. Records written later are dropped.
// Close does not close out.
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

// waitForSpace waits for space for n bytes and reports whether there is any. A record longer than
// the limit fits into an empty queue.
func (w *logWriter) waitForSpace(n int) bool {
	since := time.Now()
	for !w.closed {
		if w.queue.Len() == 0 || w.queue.Len()+n <= w.limit {
			return true
		}
		if w.progress.Before(since) {
			since = w.progress
		}
		left := w.timeout - time.Since(since)
		if left <= 0 {
			return false
		}
		w.waitForProgress(left)
	}
	return false
}

// waitForProgress unlocks w until out has accepted data, for d at most.
func (w *logWriter) waitForProgress(d time.Duration) {
	progressed, timer := w.progressed, time.NewTimer(d)
	defer timer.Stop()
	w.mu.Unlock()
	defer w.mu.Lock()
	select {
	case <-progressed:
	case <-timer.C:
	}
}

// drain writes the queue to out until w is closed and the queue is empty.
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

// next copies the next bytes for out to chunk: whole lines if at least one fits.
func (w *logWriter) next(chunk []byte) (n int, ended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n = copy(chunk, w.queue.Bytes())
	if end := bytes.LastIndexByte(chunk[:n], '\n') + 1; end > 0 {
		n = end
	}
	return n, w.abandoned || w.closed && n == 0
}

// wrote records that out has accepted chunk, or failed with err.
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

// noteProgress wakes all goroutines that wait for space.
func (w *logWriter) noteProgress() {
	w.progress = time.Now()
	close(w.progressed)
	w.progressed = make(chan struct{})
}

// wakeDrain makes drain look at the queue again.
func (w *logWriter) wakeDrain() {
	select {
	case w.wake <- struct{}{}:
	default: // a token is there
	}
}
