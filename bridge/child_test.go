//go:build unix

package bridge

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

// pipes are the three pipes of a child: near are our ends, far the child's.
type pipes struct{ near, far [3]*os.File }

func newPipes(t testing.TB) (p pipes) {
	t.Helper()
	for i := range p.near {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			r, w = w, r
		}
		p.near[i], p.far[i] = r, w
	}
	return p
}

func (p pipes) Stdin() io.WriteCloser { return p.near[0] }
func (p pipes) Stdout() io.Reader     { return toEnd{p.near[1]} }
func (p pipes) Stderr() io.Reader     { return toEnd{p.near[2]} }

// toEnd closes its file at EOF.
type toEnd struct{ f *os.File }

func (r toEnd) Read(p []byte) (int, error) {
	if len(p) == 0 {
		panic("read into an empty buffer") // a reader may return nothing forever
	}
	n, err := r.f.Read(p)
	if err != nil {
		r.f.Close()
	}
	return n, err
}

// told gets the arguments of Signal and Resize.
type told chan string

// Signal sends the signal's name to the channel.
func (t told) Signal(name string) error {
	if name == "" {
		return errors.New("no signal")
	}
	t <- "signal " + name
	return nil
}

// Resize sends the size to the channel.
func (t told) Resize(size WindowSize) error {
	t <- fmt.Sprintf("size %dx%d", size.Cols, size.Rows)
	return nil
}

// puppet is a child controlled by the test, which holds the far ends of the pipes.
type puppet struct {
	pipes
	told
	reader bool        // Stop waits for exit
	input  chan []byte // from readAll

	exitOnce, stopOnce sync.Once
	stopped            chan struct{} // Stop was called
	gone               chan struct{} // exit was called
	code               int
	signal             string
}

func newPuppet(t testing.TB) *puppet {
	p := &puppet{pipes: newPipes(t), input: make(chan []byte, 1), told: make(told, 100), gone: make(chan struct{}), stopped: make(chan struct{})}
	t.Cleanup(func() { p.far[0].Close() })
	return p
}

// readAll makes the puppet read its stdin to the end, even after Stop, and then exit. What
// it has read is sent to input.
func (p *puppet) readAll() *puppet {
	if !p.reader {
		p.reader = true
	}
	go func() { // ends when stdin is closed
		got, err := io.ReadAll(p.far[0])
		if err != nil && !errors.Is(err, os.ErrClosed) {
			got = append(got, err.Error()...)
		}
		p.exit(0, "")
		p.input <- got
	}()
	return p
}

// read reads n bytes of the puppet's stdin.
func (p *puppet) read(t testing.TB, n int) string {
	t.Helper()
	p.far[0].SetReadDeadline(time.Now().Add(wspipetest.Lifetime))
	b := make([]byte, n)
	m, err := io.ReadFull(p.far[0], b)
	if err != nil {
		t.Fatalf("child read %.200q (%d bytes), want %d: %v", b[:m], m, n, err)
	}
	return string(b)
}

// print writes s to the puppet's stdout, as it is read, unless the puppet has ended.
func (p *puppet) print(s string) { io.WriteString(p.far[1], s) }

// alert writes s to the puppet's stderr.
func (p *puppet) alert(s string) { io.WriteString(p.far[2], s) }

// exit ends the puppet.
func (p *puppet) exit(code int, signal string) {
	p.exitOnce.Do(func() {
		p.code, p.signal = code, signal
		for _, f := range p.far {
			f.Close()
		}
		close(p.gone)
	})
}

func (p *puppet) Pid() int { return 1 }

func (p *puppet) Exit() (code int, signal string) {
	<-p.gone
	return p.code, p.signal
}

func (p *puppet) Stop() {
	p.stopOnce.Do(func() { close(p.stopped) })
	if !p.reader {
		p.exit(128+int(syscall.SIGTERM), "TERM")
	}
	<-p.gone
}
