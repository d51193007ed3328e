package connect

import (
	"fmt"
	"io"
	"os"
	"sync"

	"wspipe/bridge/channel"

	"golang.org/x/term"
)

// localTerminal is the terminal of stdin and stdout. It is nil if one of them is not a terminal;
// its methods then do nothing.
//
// A raw terminal sends every key to the child, also those that would be signals. It must be
// restored however we end, or the next program in it has no echo. Run restores it before
// it returns, a connection when it ends, handleSignal before we exit, and each goroutine of
// this package before its panic ends the process. The same holds for the modes of
// modeResetter.
type localTerminal struct {
	in, out int // descriptors

	mu     sync.Mutex
	saved  *rawState // the state before makeRaw; nil if the terminal is not raw
	closed bool      // makeRaw does nothing
}

func newLocalTerminal(stdin *os.File, stdout io.Writer) *localTerminal {
	out, ok := stdout.(*os.File)
	if !ok || stdin == nil {
		return nil
	}
	t := &localTerminal{in: int(stdin.Fd()), out: int(out.Fd())}
	if !term.IsTerminal(t.in) || !term.IsTerminal(t.out) {
		return nil
	}
	return t
}

// makeRaw makes the terminal raw, until restore.
func (t *localTerminal) makeRaw() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.saved != nil || t.closed {
		return nil
	}
	saved, err := makeRaw(t.in, t.out)
	if err != nil {
		return fmt.Errorf("cannot make the terminal raw: %w", err)
	}
	t.saved = saved
	return nil
}

// isRaw reports whether the terminal is raw.
func (t *localTerminal) isRaw() bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.saved != nil
}

// restore undoes makeRaw and reports whether the terminal was raw.
func (t *localTerminal) restore() (wasRaw bool) {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.saved == nil {
		return false
	}
	t.saved.restore(t.in, t.out) // fails only if the terminal is closed
	t.saved = nil
	return true
}

// close restores the terminal and disables makeRaw.
func (t *localTerminal) close() {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.restore()
}

// restoreTerminal restores the terminal and reports whether it was raw. childContinues says
// that the same child may use it again.
func (c *client) restoreTerminal(childContinues bool) (wasRaw bool) {
	c.modes.reset(childContinues) // first, because restoring a Windows console disables escape sequences
	return c.terminal.restore()
}

// closeTerminal restores the terminal for good.
func (c *client) closeTerminal() {
	c.modes.close()
	c.terminal.close()
}

// restoreOnPanic restores the terminal before a panic ends the process. Every goroutine of
// this package defers it.
func (c *client) restoreOnPanic() {
	if v := recover(); v != nil {
		c.closeTerminal()
		panic(v)
	}
}

// size returns the size of the terminal. It is not ok if the size is unknown.
func (t *localTerminal) size() (size channel.Size, ok bool) {
	if t == nil {
		return size, false
	}
	width, height, err := term.GetSize(t.out)
	return channel.Size{Width: uint16(width), Height: uint16(height)}, err == nil && width > 0 && height > 0
}
