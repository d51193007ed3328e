//go:build unix

package connect

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// rawState is how the terminal was, termios(3).
type rawState struct{ *term.State }

func makeRaw(in, _ int) (*rawState, error) {
	state, err := term.MakeRaw(in)
	return &rawState{state}, err
}

func (s *rawState) restore(in, _ int) { term.Restore(in, s.State) }

// windowEvent is a signal that has to do with our window.
type windowEvent = os.Signal

// windowWatcher has such signals.
type windowWatcher struct{ c chan windowEvent }

func watchWindow() *windowWatcher {
	w := &windowWatcher{make(chan windowEvent, 4)}
	signal.Notify(w.c, syscall.SIGWINCH, syscall.SIGCONT)
	return w
}

// catchSuspend watches for SIGTSTP, too, from before the terminal becomes raw on. As
// long as it never was, Ctrl-Z is the kernel's, which stops nobody whom no shell
// could make go on, as under xterm -e (setpgid(2), orphaned process groups).
func (w *windowWatcher) catchSuspend() {
	if !signal.Ignored(syscall.SIGTSTP) {
		signal.Notify(w.c, syscall.SIGTSTP)
	}
}

func (w *windowWatcher) stop() { signal.Stop(w.c) }

// handle follows a new size. It stops us as the signal would have done, but
// without a raw terminal; a shell may change that before we go on.
func (w *windowWatcher) handle(c *client, event windowEvent) {
	switch event {
	case syscall.SIGTSTP:
		c.restoreTerminal(true)
		syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		return
	case syscall.SIGCONT:
		c.resumeRaw()
	}
	if s := c.conn(); s != nil {
		s.sendSize()
		s.redraw()
	}
}

// resumeRaw makes the terminal raw if it should be. A shell that had it meanwhile
// has made it something else.
func (c *client) resumeRaw() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && c.current.raw.Load() && c.result == nil {
		c.terminal.restore()
		c.terminal.makeRaw() // it worked before; if not, keys come by the line
	}
}
