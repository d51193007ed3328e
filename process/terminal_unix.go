//go:build unix

package process

import (
	"os"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a new terminal: ours, in the runtime's poller, and
// the child's, which is blocking. Both are closed on exec.
func openTerminal(spec Spec) (ptmx, tty *os.File, err error) {
	blocking, tty, err := pty.Open()
	if err != nil {
		return nil, nil, err
	}
	ptmx, err = polledCopy(blocking)
	if err != nil {
		tty.Close()
		return nil, nil, err
	}
	err = configureTerminal(ptmx, spec)
	if err == nil && spec.User != nil {
		err = chownTerminal(tty, spec.User)
	}
	if err != nil {
		closeAll([]*os.File{ptmx, tty})
		return nil, nil, err
	}
	return ptmx, tty, nil
}

// chownTerminal allows u to open the terminal by its name, as sshd does.
func chownTerminal(tty *os.File, u *User) error {
	if err := tty.Chown(int(u.UID), -1); err != nil {
		return err
	}
	return tty.Chmod(0o620)
}

// polledCopy returns a duplicate of f in the runtime's poller, and closes f, which
// pty.Open has made blocking.
func polledCopy(f *os.File) (*os.File, error) {
	defer f.Close()
	var fd int
	err := control(f, func(old int) (err error) {
		fd, err = unix.FcntlInt(uintptr(old), unix.F_DUPFD_CLOEXEC, 0)
		return os.NewSyscallError("fcntl", err)
	})
	if err != nil {
		return nil, err
	}
	return newPolledFile(fd, f.Name())
}

// closeSlots bounds how many terminals are closed at once.
var closeSlots = make(chan struct{}, 4)

// closeTerminal closes an end of a terminal. The last close(2) of a terminal blocks in the
// kernel, so many terminals would block many threads. Therefore closeTerminal closes a
// second descriptor last, and few threads do that at once.
func closeTerminal(f *os.File) error {
	second := -1
	control(f, func(fd int) (err error) {
		second, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	err := f.Close() // returns once no goroutine uses the first descriptor
	if second >= 0 {
		closeSlots <- struct{}{}
		unix.Close(second)
		<-closeSlots
	}
	return err
}

// configureTerminal sets the mode and the size of a terminal.
func configureTerminal(ptmx *os.File, spec Spec) error {
	size := spec.Size
	if size == (WindowSize{}) {
		size = defaultSizes[spec.Terminal]
	}
	if err := setSize(ptmx, size); err != nil {
		return err
	}
	return control(ptmx, func(fd int) error {
		mode, err := unix.IoctlGetTermios(fd, getTermios)
		if err != nil {
			return os.NewSyscallError("ioctl", err)
		}
		if spec.Terminal == FullTerminal {
			mode.Iflag |= utf8Input // the erase key erases a character, not a byte
		} else {
			makeRaw(mode)
		}
		return os.NewSyscallError("ioctl", unix.IoctlSetTermios(fd, setTermios, mode))
	})
}

// makeRaw does the same as cfmakeraw of termios(3).
func makeRaw(mode *unix.Termios) {
	mode.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	mode.Oflag &^= unix.OPOST
	mode.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	mode.Cflag &^= unix.CSIZE | unix.PARENB
	mode.Cflag |= unix.CS8
}

func setSize(ptmx *os.File, size WindowSize) error {
	return control(ptmx, func(fd int) error {
		ws := unix.Winsize{Row: size.Rows, Col: size.Cols}
		return os.NewSyscallError("ioctl", unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &ws))
	})
}

// control calls f with the descriptor of file. (File.Fd would make it blocking.)
func control(file *os.File, f func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	controlErr := raw.Control(func(fd uintptr) { err = f(int(fd)) })
	if controlErr != nil {
		return controlErr
	}
	return err
}

// foreground returns the process group that the terminal's keys signal, or 0.
func (t *terminal) foreground() (pgid int) {
	control(t.ptmx, func(fd int) (err error) {
		pgid, err = unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		return err
	})
	return max(pgid, 0)
}

// signalForeground sends sig to the foreground group of the controlling terminal or, if
// there is none, to the child's process group. The terminal still names a foreground
// group that has ended and whose ID has been reused; such a group gets no signal.
func (c *Child) signalForeground(sig stopSignal) error {
	pgid := c.session.id
	if c.terminal != nil {
		if id := c.terminal.foreground(); id > 0 {
			pgid = id
		}
	}
	if !c.session.containsGroup(pgid) {
		return nil
	}
	return signalGroup(pgid, sig)
}
