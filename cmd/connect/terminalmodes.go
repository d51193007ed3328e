package connect

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"wspipe/bridge/vt"
)

// modeResetter is what the terminal behind stdout shows. It resets the modes that the
// program has set there, such as the alternate screen, on every way out. It is nil
// if stdout is no terminal, and then does nothing.
type modeResetter struct {
	out     io.Writer
	isReset atomic.Bool // the terminal is without the modes until the program writes again

	mu     sync.Mutex // held while the terminal takes what is written
	modes  *vt.ModeTracker
	closed bool // what the program still writes is dropped
}

func newModeResetter(stdout io.Writer) *modeResetter {
	if f, ok := stdout.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return &modeResetter{out: stdout, modes: vt.NewModeTracker()}
}

// writer returns w, or what follows the program's output to it if it is a terminal.
// Stderr and stdout are the same one then.
func (s *modeResetter) writer(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); s == nil || !ok || !term.IsTerminal(int(f.Fd())) {
		return w
	}
	return modeWriter{s, w}
}

type modeWriter struct {
	*modeResetter
	to io.Writer
}

// Write implements io.Writer.
func (w modeWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return len(p), nil
	}
	if w.isReset.Swap(false) {
		w.out.Write(w.modes.AppendSet(nil))
	}
	w.modes.Write(p)
	return w.to.Write(p)
}

// resetTime bounds how long a terminal that takes nothing keeps us.
const resetTime = time.Second

// reset resets the modes that the program has set. keep says that the same program
// may go on: then its next output sets them again.
func (s *modeResetter) reset(keep bool) { s.resetModes(keep, false) }

// close does so for good.
func (s *modeResetter) close() { s.resetModes(false, true) }

func (s *modeResetter) resetModes(keep, done bool) {
	if s == nil {
		return
	}
	written := make(chan struct{})
	go func() { // ends when the terminal has taken what is written, or with the process
		defer close(written)
		s.mu.Lock()
		defer s.mu.Unlock()
		if sequences := s.modes.AppendReset(nil); !s.isReset.Load() && len(sequences) > 0 {
			s.out.Write(sequences)
			s.isReset.Store(true)
		}
		if !keep {
			s.isReset.Store(false)
			s.modes = vt.NewModeTracker()
		}
		s.closed = done
	}()
	select {
	case <-written:
	case <-time.After(resetTime):
	}
}

// wasReset reports whether the program's modes wait for its next output.
func (s *modeResetter) wasReset() bool { return s != nil && s.isReset.Load() }
