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

// modeResetter resets the modes that the child has set in our terminal, such as the
// alternate screen, before we end or stop. It is nil if stdout is not a terminal; its
// methods then do nothing.
type modeResetter struct {
	out     io.Writer
	isReset atomic.Bool // the modes are reset until the next output of the child

	mu     sync.Mutex // held while a write to the terminal may block
	modes  *vt.ModeTracker
	closed bool // output is discarded
}

func newModeResetter(stdout io.Writer) *modeResetter {
	if f, ok := stdout.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return &modeResetter{out: stdout, modes: vt.NewModeTracker()}
}

// writer returns w or, if w is a terminal, a writer that tracks the modes in the output. It
// assumes that stdout and stderr are the same terminal.
func (s *modeResetter) writer(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); s == nil || !ok || !term.IsTerminal(int(f.Fd())) {
		return w
	}
	return modeWriter{s, w}
}

// modeWriter writes to to and tracks the modes.
// modeWriter writes to to and tracks the modes.
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

// resetTimeout bounds a reset, since a write to the terminal may block.
const resetTimeout = time.Second

// reset resets the modes that the child has set. keep says that the same child may
// continue; then its next output sets them again.
func (s *modeResetter) reset(keep bool) { s.resetModes(keep, false) }

// close resets the modes and discards all later output.
func (s *modeResetter) close() { s.resetModes(false, true) }

func (s *modeResetter) resetModes(keep, done bool) {
	if s == nil {
		return
	}
	written := make(chan struct{})
	go func() { // ends when the write to the terminal returns, or with the process
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
	case <-time.After(resetTimeout):
	}
}

// wasReset reports whether the modes are reset until the child's next output.
func (s *modeResetter) wasReset() bool { return s != nil && s.isReset.Load() }
