//go:build unix

package connect

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// rawState is the state before the terminal became raw, termios(3).
type rawState struct{ *term.State }

func makeRaw(in, _ int) (*rawState, error) {
	state, err := term.MakeRaw(in)
	return &rawState{state}, err
}

func (s *rawState) restore(in, _ int) { term.Restore(in, s.State) }

// windowEvent is a signal that concerns our terminal.
type windowEvent = os.Signal

// windowWatcher receives such signals.
type windowWatcher struct{ c chan windowEvent }

func watchWindow() *windowWatcher {
	w := &windowWatcher{make(chan windowEvent, 4)}
	signal.Notify(w.c, syscall.SIGWINCH, syscall.SIGCONT)
	return w
}

// catchSuspend also receives SIGTSTP. It is called before the terminal becomes raw. Until
// then the kernel handles Ctrl-Z: it does not stop a process that no shell could continue,
// as under xterm -e (setpgid(2), orphaned process groups).
func (w *windowWatcher) catchSuspend() {
	if !signal.Ignored(syscall.SIGTSTP) {
		signal.Notify(w.c, syscall.SIGTSTP)
	}
}

func (w *windowWatcher) stop() { signal.Stop(w.c) }

// handle forwards a new size, or stops the process for SIGTSTP after it has restored the
// terminal, and makes it raw again for SIGCONT.
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

// resumeRaw makes the terminal raw again if it was, since the shell has changed it.
func (c *client) resumeRaw() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && c.current.raw.Load() && c.result == nil {
		c.terminal.restore()
		c.terminal.makeRaw() // on failure, input is line by line
	}
}
