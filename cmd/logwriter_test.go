package cmd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func record(n int) string { return fmt.Sprintf("record %06d %s\n", n, strings.Repeat("x", 80)) }

func TestLogWriterWritesEverything(t *testing.T) {
	var out bytes.Buffer
	w := newLogWriter(&out, 1000, time.Minute) // smaller than what is written: writers wait for space
	var want strings.Builder
	for n := range 1000 {
		fmt.Fprint(w, record(n))
		want.WriteString(record(n))
	}
	w.Close()
	if out.String() != want.String() {
		t.Errorf("got %d bytes, want %d", out.Len(), want.Len())
	}
}

func TestLogWriterTakesLongRecords(t *testing.T) {
	var out bytes.Buffer
	w := newLogWriter(&out, 1000, time.Minute)
	long := strings.Repeat("x", 100_000) + "\n"
	fmt.Fprint(w, "before\n", long, "after\n")
	fmt.Fprint(w, long)
	w.Close()
	if want := "before\n" + long + "after\n" + long; out.String() != want {
		t.Errorf("got %d bytes, want %d", out.Len(), len(want))
	}
}

// A blocked pipe delays a writer by the timeout once, and not again; after it is read again, the
// count of lost records is correct.
func TestLogWriterStuckPipe(t *testing.T) {
	const limit, patience = 100_000, 50 * time.Millisecond
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer out.Close()
	w := newLogWriter(out, limit, patience)
	w.OnLost(func(lost int) string { return fmt.Sprintf("lost %d\n", lost) })

	const written = 20_000
	begin := time.Now()
	for n := range written {
		fmt.Fprint(w, record(n))
	}
	// Only one timeout, however slow the machine: if each lost record had waited, it would
	// have been 15 minutes.
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("writing took %v", took)
	}

	lines := bufio.NewScanner(r)
	kept, lost := 0, 0
	for lost == 0 && lines.Scan() {
		if n, _ := fmt.Sscanf(lines.Text(), "lost %d", &lost); n == 1 {
			break
		}
		if want := strings.TrimSuffix(record(kept), "\n"); lines.Text() != want {
			t.Fatalf("got %q, want %q", lines.Text(), want)
		}
		kept++
	}
	if kept == 0 || lost == 0 || kept+lost != written {
		t.Errorf("kept %d and lost %d of %d", kept, lost, written)
	}
	fmt.Fprint(w, "moves again\n")
	if lines.Scan(); lines.Text() != "moves again" {
		t.Errorf("got %q after the loss", lines.Text())
	}
	w.Close()
}

// Close does not wait for a blocked pipe.
func TestLogWriterCloseWhileStuck(t *testing.T) {
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w := newLogWriter(out, 1<<20, time.Millisecond)
	for n := range 5000 {
		fmt.Fprint(w, record(n))
	}
	w.Close()
	fmt.Fprint(w, "after Close\n")
	select {
	case <-w.done:
		t.Error("no record was lost although the pipe was blocked")
	default:
	}
	r.Close() // the last write fails
	<-w.done
	out.Close()
}

// Close wakes writers that wait for space.
func TestLogWriterCloseWhileWaiting(t *testing.T) {
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w := newLogWriter(out, 100, 500*time.Millisecond)
	var writers sync.WaitGroup
	for range 10 {
		writers.Go(func() { // ends at the timeout or when the pipe is read
			for n := range 1000 {
				fmt.Fprint(w, record(n))
			}
		})
	}
	w.Close()
	writers.Wait()
	r.Close()
	<-w.done
	out.Close()
}

// flakyWriter fails while broken, and reports each write.
type flakyWriter struct {
	mu     sync.Mutex
	broken bool
	out    bytes.Buffer
	wrote  chan struct{}
}

func (f *flakyWriter) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer func() { f.wrote <- struct{}{} }()
	if f.broken {
		return 0, errors.New("no space left")
	}
	return f.out.Write(p)
}

// Records whose write failed are counted as lost, too, and reported after the next success.
func TestLogWriterBrokenOut(t *testing.T) {
	out := &flakyWriter{broken: true, wrote: make(chan struct{}, 10)}
	w := newLogWriter(out, 1<<20, time.Minute)
	for range 3 {
		fmt.Fprint(w, "lost\n")
		<-out.wrote
	}
	out.mu.Lock()
	out.broken = false
	out.mu.Unlock()
	fmt.Fprint(w, "kept\n")
	w.Close()
	if got, want := out.out.String(), "kept\nwspipe: 3 log records lost\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
