package connect

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"wspipe/bridge/vt"

	"golang.org/x/term"
)

// screen is what the terminal behind stdout shows. It resets the modes that the
// program has set there, such as the alternate screen, on every way out. It is nil
// if stdout is no terminal, and then does nothing.
type screen struct {
	out   io.Writer
	reset atomic.Bool // the terminal is without the modes until the program writes again

	mu    sync.Mutex // held while the terminal takes what is written
	modes *vt.ModeTracker
	done  bool // what the program still writes is dropped
}

func newScreen(stdout io.Writer) *screen {
	if f, ok := stdout.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return &screen{out: stdout, modes: vt.NewModeTracker()}
}

// writer returns w, or what follows the program's output to it if it is a terminal.
// Stderr and stdout are the same one then.
func (s *screen) writer(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); s == nil || !ok || !term.IsTerminal(int(f.Fd())) {
		return w
	}
	return screenWriter{s, w}
}

type screenWriter struct {
	*screen
	to io.Writer
}

// Write implements io.Writer.
func (w screenWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return len(p), nil
	}
	if w.reset.Swap(false) {
		w.out.Write(w.modes.AppendSet(nil))
	}
	w.modes.Write(p)
	return w.to.Write(p)
}

// resetTime bounds how long a terminal that takes nothing keeps us.
const resetTime = time.Second

// leave resets the modes that the program has set. keep says that the same program
// may go on: then its next output sets them again.
func (s *screen) leave(keep bool) { s.resetModes(keep, false) }

// giveUp does so for good.
func (s *screen) giveUp() { s.resetModes(false, true) }

func (s *screen) resetModes(keep, done bool) {
	if s == nil {
		return
	}
	written := make(chan struct{})
	go func() { // ends when the terminal has taken what is written, or with the process
		defer close(written)
		s.mu.Lock()
		defer s.mu.Unlock()
		if sequences := s.modes.AppendReset(nil); !s.reset.Load() && len(sequences) > 0 {
			s.out.Write(sequences)
			s.reset.Store(true)
		}
		if !keep {
			s.reset.Store(false)
			s.modes = vt.NewModeTracker()
		}
		s.done = done
	}()
	select {
	case <-written:
	case <-time.After(resetTime):
	}
}

// wasReset reports whether the program's modes wait for its next output.
func (s *screen) wasReset() bool { return s != nil && s.reset.Load() }
