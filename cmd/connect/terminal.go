package connect

import (
	"fmt"
	"io"
	"os"
	"sync"

	"wspipe/bridge/channel"

	"golang.org/x/term"
)

// terminal is the terminal that stdin and stdout are. It is nil if they are none,
// and then does nothing.
//
// Raw, it hands every key to the program, also those that would be signals. It
// must be restored on every way out, or whoever uses it next does not see what
// they type: Run does so as it returns, a connection when it ends, the signals
// before they end us, and each goroutine of this package before its panic does.
// The same holds for what the program has set there, see screen.
type terminal struct {
	in, out int // descriptors

	mu     sync.Mutex
	saved  *rawState // how it was before it became raw; nil while it is not
	closed bool      // it is ours no more
}

func newTerminal(stdin *os.File, stdout io.Writer) *terminal {
	out, ok := stdout.(*os.File)
	if !ok || stdin == nil {
		return nil
	}
	t := &terminal{in: int(stdin.Fd()), out: int(out.Fd())}
	if !term.IsTerminal(t.in) || !term.IsTerminal(t.out) {
		return nil
	}
	return t
}

// makeRaw makes the terminal raw, until restore.
func (t *terminal) makeRaw() error {
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

// restore makes the terminal what it was, and reports whether it was raw.
func (t *terminal) restore() (wasRaw bool) {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.saved == nil {
		return false
	}
	t.saved.restore(t.in, t.out) // if that fails, the terminal has gone
	t.saved = nil
	return true
}

// close restores the terminal for good.
func (t *terminal) close() {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.restore()
}

// restoreTerminal makes the terminal what it was, and reports whether it was raw.
// programGoesOn says that the program may have it again.
func (c *client) restoreTerminal(programGoesOn bool) (wasRaw bool) {
	c.modes.reset(programGoesOn) // before a console of Windows no longer takes sequences
	return c.terminal.restore()
}

// closeTerminal restores the terminal for good.
func (c *client) closeTerminal() {
	c.modes.close()
	c.terminal.close()
}

// rescue, deferred by a goroutine, restores the terminal before a panic ends the
// program.
func (c *client) restoreOnPanic() {
	if v := recover(); v != nil {
		c.closeTerminal()
		panic(v)
	}
}

// size returns the size of the window.
func (t *terminal) size() (size channel.Size, ok bool) {
	if t == nil {
		return size, false
	}
	width, height, err := term.GetSize(t.out)
	return channel.Size{Width: uint16(width), Height: uint16(height)}, err == nil && width > 0 && height > 0
}
