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

// Terminal specifies which of a child's files are a terminal, pty(7).
type Terminal int

const (
	// NoTerminal means three pipes.
	NoTerminal Terminal = iota
	// StdoutTerminal means that only stdout is a terminal, in raw mode, so that programs
	// that flush lines only to a terminal send each at once. Stdin and stderr are pipes.
	// It is not the controlling terminal.
	StdoutTerminal
	// FullTerminal means that stdin, stdout and stderr are one terminal, the controlling
	// terminal of the child's process session.
	FullTerminal
)

// WindowSize is the size of a terminal, in characters.
type WindowSize struct{ Rows, Cols uint16 }

// ParseWindowSize parses COLSxROWS, such as 80x24. Neither may be zero.
func ParseWindowSize(s string) (WindowSize, error) {
	cols, rows, _ := strings.Cut(s, "x")
	c, colsErr := strconv.ParseUint(cols, 10, 16)
	r, rowsErr := strconv.ParseUint(rows, 10, 16)
	if err := errors.Join(colsErr, rowsErr); err != nil || c == 0 || r == 0 {
		return WindowSize{}, fmt.Errorf("invalid window size %q; want COLSxROWS", s)
	}
	return WindowSize{Rows: uint16(r), Cols: uint16(c)}, nil
}

// defaultSizes are the sizes of terminals if Spec.Size is zero. Some programs truncate
// their lines to the width of stdout (ps, systemctl), or to 80 columns if it is unknown.
// Some store the width in a short (curses), or ignore it if the height is 0 (ps).
var defaultSizes = [...]WindowSize{
	StdoutTerminal: {Rows: 24, Cols: math.MaxInt16},
	FullTerminal:   {Rows: 24, Cols: 80},
}

// CheckTerminal returns an error if this machine cannot provide a terminal:
// ErrUnsupported if the platform has none.
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
	ptmx  *os.File // our end; Output closes it at EOF, Close to hang up
	// tty keeps the child's end open until the child has exited. Otherwise reading ptmx
	// would fail with EIO when the child closes its files, although it may open /dev/tty
	// again. Neither closing tty nor the exit of the session leader discards unread
	// output, of which Linux holds at most 12 KiB (checked with 6.18).
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
	c.stderr = &Output{child: c, draining: true} // it has no file
	return []*os.File{tty, tty, tty}, nil
}

// Write writes p as input from the keyboard.
func (t *terminal) Write(p []byte) (int, error) { return t.ptmx.Write(p) }

// SyscallConn gives access to the descriptor, for writing without waiting.
func (t *terminal) SyscallConn() (syscall.RawConn, error) { return t.ptmx.SyscallConn() }

// Close hangs up: the kernel sends SIGHUP to the child and to the foreground group, and
// discards unread output. After the child's exit it does not close the terminal, because
// the last output may be unread; it only makes Write fail.
func (t *terminal) Close() error {
	if t.child.hasExited() {
		return t.ptmx.SetWriteDeadline(time.Unix(1, 0))
	}
	t.lastForeground.record(t)
	return closeTerminal(t.ptmx)
}

// Resize sets the size of the child's terminal. If it changes, the kernel sends SIGWINCH
// to the foreground group. Without FullTerminal it returns ErrUnsupported.
func (c *Child) Resize(size WindowSize) error {
	if c.terminal == nil {
		return ErrUnsupported
	}
	if err := setSize(c.terminal.ptmx, size); err != nil {
		return fmt.Errorf("resize terminal: %w", err)
	}
	return nil
}

// Signal sends the signal with the given name, such as INT or SIGINT, to the child's
// process group or, with FullTerminal, to the foreground group of the terminal, as a key
// does. It returns an error if there is no such signal, and nil if the group has ended.
func (c *Child) Signal(name string) error {
	sig, err := signalNamed(name)
	if err == nil && !c.stopped.Load() { // after Stop, the ID may belong to another group
		err = c.signalForeground(sig)
	}
	if err != nil {
		return fmt.Errorf("signal %s: %w", name, err)
	}
	return nil
}
