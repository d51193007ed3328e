//go:build unix

package process

import (
	"os"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a new terminal: ours, in the runtime's
// poller, and the child's, which blocks. Programs that we start get neither
// unless told.
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

// chownTerminal lets u open the terminal by its name, as sshd does.
func chownTerminal(tty *os.File, u *User) error {
	if err := tty.Chown(int(u.UID), -1); err != nil {
		return err
	}
	return tty.Chmod(0o620)
}

// polledCopy returns f anew, in the runtime's poller, and closes f: pty.Open has
// made it block.
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

// closeSlots is how many terminals may be closed at once.
var closeSlots = make(chan struct{}, 4)

// closeTerminal closes an end of a terminal. The last close(2) of it waits in the
// kernel, and with many terminals many threads would wait. So it is that of a
// second descriptor, which only few threads may close at once.
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

// configureTerminal gives a terminal its mode and its size.
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
			mode.Iflag |= utf8Input // the erase key takes a character, not a byte
		} else {
			makeRaw(mode)
		}
		return os.NewSyscallError("ioctl", unix.IoctlSetTermios(fd, setTermios, mode))
	})
}

// makeRaw is cfmakeraw of termios(3).
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

// control calls f with the descriptor of file. File.Fd would take it out of the
// poller.
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

// foreground is the process group that the terminal's keys signal, 0 if there
// is none.
func (t *terminal) foreground() (pgid int) {
	control(t.ptmx, func(fd int) (err error) {
		pgid, err = unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		return err
	})
	return max(pgid, 0)
}

// foreground is the process group that Signal means. The terminal names a group
// even if that has gone and its number is another's: then there is none.
func (c *Child) foreground() (g processSession, ok bool) {
	if c.terminal != nil {
		if pgid := c.terminal.foreground(); pgid > 0 {
			return processSession{id: pgid}, c.session.containsGroup(pgid)
		}
	}
	return processSession{id: c.session.id}, true
}
