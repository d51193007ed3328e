package process

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Terminal says which of a child's files are a terminal, pty(7).
type Terminal int

const (
	// NoTerminal is three pipes.
	NoTerminal Terminal = iota
	// StdoutTerminal makes stdout alone a raw terminal, so that programs which
	// only flush on a terminal send each line at once. Stdin and stderr are
	// pipes, and the terminal controls nothing.
	StdoutTerminal
	// FullTerminal makes stdin, stdout and stderr one terminal, the controlling
	// one of a session that the child leads.
	FullTerminal
)

// WindowSize is a terminal's, in characters.
type WindowSize struct{ Rows, Cols uint16 }

// ParseWindowSize takes COLSxROWS, such as 80x24.
func ParseWindowSize(s string) (WindowSize, error) {
	cols, rows, _ := strings.Cut(s, "x")
	c, colsErr := strconv.ParseUint(cols, 10, 16)
	r, rowsErr := strconv.ParseUint(rows, 10, 16)
	if err := errors.Join(colsErr, rowsErr); err != nil || c == 0 || r == 0 {
		return WindowSize{}, fmt.Errorf("no window size, such as 80x24: %q", s)
	}
	return WindowSize{Rows: uint16(r), Cols: uint16(c)}, nil
}

// defaultSizes are those of terminals for which Spec.Size is zero. Programs cut
// their lines to the width of stdout (ps, systemctl), or to 80 if that is unknown.
// They take a short for the width (curses), and no width without a height (ps).
var defaultSizes = [...]WindowSize{
	StdoutTerminal: {Rows: 24, Cols: math.MaxInt16},
	FullTerminal:   {Rows: 24, Cols: 80},
}

// CheckTerminal returns nil, or why this machine has no terminal to give:
// ErrUnsupported where there are none.
func CheckTerminal() error {
	ptmx, tty, err := openTerminal(Spec{Terminal: FullTerminal})
	if err != nil {
		return fmt.Errorf("open terminal: %w", err)
	}
	closeAll([]*os.File{ptmx, tty})
	return nil
}

// terminal is the child's controlling terminal. It is the child's stdin.
type terminal struct {
	child *Child
	ptmx  *os.File // ours; Output closes it at the end, Close to hang up
	// tty keeps the child's end open until the child has ended. Else reading
	// ptmx would fail with EIO as soon as the child has closed its files, though
	// it may open /dev/tty again. Nothing is lost when tty is closed, too: neither
	// that nor the end of a session's leader throws away what Linux holds for a
	// reader, 12 KiB at most (checked with 6.18).
	tty *os.File

	lastForeground foregroundGroup
}

// openControlling makes the three files of the child one terminal.
func (c *Child) openControlling(spec Spec) (ends []*os.File, err error) {
	ptmx, tty, err := openTerminal(spec)
	if err != nil {
		return nil, err
	}
	c.terminal = &terminal{child: c, ptmx: ptmx, tty: tty}
	c.stdin = c.terminal
	c.stdout = &Output{child: c, file: ptmx, terminal: true}
	c.stderr = &Output{child: c, atEnd: true} // it has no file
	return []*os.File{tty, tty, tty}, nil
}

// Write is typing.
func (t *terminal) Write(p []byte) (int, error) { return t.ptmx.Write(p) }

// SyscallConn lets bytes be written without waiting.
func (t *terminal) SyscallConn() (syscall.RawConn, error) { return t.ptmx.SyscallConn() }

// Close hangs up: the kernel sends SIGHUP to the child and to the foreground
// group, and what has not been read is lost. After the child's end it only
// makes writing fail, since the last output may still be there.
func (t *terminal) Close() error {
	if t.child.hasExited() {
		return t.ptmx.SetWriteDeadline(time.Unix(1, 0))
	}
	t.lastForeground.record(t)
	return closeTerminal(t.ptmx)
}

// Resize tells the child's terminal its size. The kernel sends SIGWINCH to the
// foreground group if that is a change. It fails with ErrUnsupported without
// FullTerminal.
func (c *Child) Resize(size WindowSize) error {
	if c.terminal == nil {
		return ErrUnsupported
	}
	if err := setSize(c.terminal.ptmx, size); err != nil {
		return fmt.Errorf("resize terminal: %w", err)
	}
	return nil
}

// Signal sends the signal called name, such as INT or SIGINT, to the child's
// process group or, with FullTerminal, to the group in the terminal's
// foreground, as a key would. It fails if there is no such signal; a group that
// is gone is no error.
func (c *Child) Signal(name string) error {
	sig, err := signalNamed(name)
	if err == nil && !c.stopped.Load() { // a group that is gone has no claim to its number
		if g, ok := c.foreground(); ok {
			err = g.send(sig)
		}
	}
	if err != nil {
		return fmt.Errorf("signal %s: %w", name, err)
	}
	return nil
}
