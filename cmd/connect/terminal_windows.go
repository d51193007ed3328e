package connect

import (
	"time"

	"wspipe/bridge/channel"

	"golang.org/x/sys/windows"
	"golang.org/x/term"
)

// rawState is the state before the console became raw.
type rawState struct {
	in      *term.State
	outMode uint32
}

func makeRaw(in, out int) (*rawState, error) {
	s := &rawState{}
	if err := windows.GetConsoleMode(windows.Handle(out), &s.outMode); err != nil {
		return nil, err
	}
	var err error
	if s.in, err = term.MakeRaw(in); err != nil {
		return nil, err
	}
	mode := s.outMode | windows.ENABLE_PROCESSED_OUTPUT | windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING | windows.DISABLE_NEWLINE_AUTO_RETURN
	if err := windows.SetConsoleMode(windows.Handle(out), mode); err != nil {
		term.Restore(in, s.in)
		return nil, err
	}
	return s, nil
}

func (s *rawState) restore(in, out int) {
	term.Restore(in, s.in)
	windows.SetConsoleMode(windows.Handle(out), s.outMode)
}

// windowEvent is a time to check the size: the system does not report a new one.
type windowEvent = time.Time

// windowWatcher polls the size.
type windowWatcher struct {
	c      <-chan windowEvent
	ticker *time.Ticker
	last   channel.Size
}

func watchWindow() *windowWatcher {
	ticker := time.NewTicker(500 * time.Millisecond)
	return &windowWatcher{c: ticker.C, ticker: ticker}
}

// catchSuspend does nothing: Windows has no SIGTSTP.
func (w *windowWatcher) catchSuspend() {}

func (w *windowWatcher) stop() { w.ticker.Stop() }

// handle sends the size if it has changed.
func (w *windowWatcher) handle(c *client, _ windowEvent) {
	size, ok := c.terminal.size()
	if s := c.conn(); s != nil && ok && size != w.last {
		w.last = size
		s.sendSize()
	}
}
