package process

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Child is a running child process, the leader of its own process session. Start
// returns one. Only the caller reads and writes its files. The caller must call Stop,
// however the child ends. Its methods may be called concurrently.
type Child struct {
	process      *os.Process
	session      processSession
	terminal     *terminal // nil without FullTerminal
	stdin        io.WriteCloser
	stdout       *Output
	stderr       *Output
	grace        time.Duration
	onSessionEnd func()
	log          *slog.Logger

	stopOnce sync.Once
	stopped  atomic.Bool // Stop is done

	endOnce  sync.Once
	exited   chan struct{}
	exit     Exit      // set before exited is closed
	exitedAt time.Time // set before exited is closed
}

// Start starts the program of spec with a pipe for each of stdin, stdout and
// stderr, or a terminal where spec requests one. The error is a *StartError.
func Start(spec Spec) (*Child, error) {
	Prepare()
	log := spec.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Child{grace: spec.Grace, onSessionEnd: spec.OnSessionEnd, log: log, exited: make(chan struct{})}
	launched := make(chan error)
	go func() { launched <- c.launch(spec) }() // ends with exec; the caller's stack does not grow for its calls
	if err := <-launched; err != nil {
		return nil, err
	}
	onExit(c.process, c.reap) // unblocked by Stop
	return c, nil
}

// launch opens the child's files and starts it. It has a starter meanwhile, so that few
// threads wait for the kernel, however many children start.
func (c *Child) launch(spec Spec) error {
	by := takeStarter()
	defer by.release()
	ends, err := c.openFiles(spec)
	if err != nil {
		return openError(spec, err)
	}
	err = c.start(by, spec, ends)
	if err != nil || c.terminal == nil { // setExit closes the terminal's
		closeAll(ends)
	}
	if err != nil {
		c.stdin.Close()
		closeAll([]*os.File{c.stdout.file, c.stderr.file})
		return startError(spec, err)
	}
	return nil
}

// openFiles opens the child's three files. It stores our ends in c and returns the
// child's.
func (c *Child) openFiles(spec Spec) (ends []*os.File, err error) {
	if spec.Terminal == FullTerminal {
		return c.openControlling(spec)
	}
	var ours [3]*os.File
	for i := range ours {
		open := pipe
		if i == 1 && spec.Terminal == StdoutTerminal {
			open = func(bool) (ourEnd, childEnd *os.File, err error) { return openTerminal(spec) }
		}
		our, child, err := open(i == 0)
		if err != nil {
			closeAll(ends)
			closeAll(ours[:i])
			return nil, err
		}
		ours[i], ends = our, append(ends, child)
		if spec.User != nil {
			// So that the child can open it as /dev/stdin. Without CAP_CHOWN the descriptor still works.
			child.Chown(int(spec.User.UID), -1)
		}
	}
	c.stdin = ours[0]
	c.stdout = &Output{child: c, file: ours[1], terminal: spec.Terminal == StdoutTerminal}
	c.stderr = &Output{child: c, file: ours[2]}
	return ends, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// start forks and executes the program.
func (c *Child) start(by *starter, spec Spec, ends []*os.File) (err error) {
	if spec.User != nil && !canSwitchUser {
		return ErrUnsupported
	}
	attr := &os.ProcAttr{Dir: spec.Dir, Env: append([]string{}, spec.Env...), Files: ends}
	argv := append([]string{spec.Path}, spec.Args...)
	if c.process, err = startSession(by, spec, argv, attr); err != nil {
		return err
	}
	c.session, err = newProcessSession(c.process, c.terminal)
	if err != nil {
		c.process.Kill()
		c.process.Wait()
	}
	return err
}

// openError returns the error of Start when the child's files cannot be opened.
func openError(spec Spec, err error) error {
	e := &StartError{Path: spec.Path, Reason: "no terminal available", Err: err}
	switch {
	case spec.Terminal == NoTerminal, errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		e.Reason, e.Err = reason(spec.Path, err), cause(err)
	case spec.User != nil && errors.Is(err, syscall.EPERM):
		e.Reason = cannotSwitch
	}
	return e
}

const cannotSwitch = "not permitted to switch user"

// startError returns the error of Start when fork or exec fails.
func startError(spec Spec, err error) error {
	e := &StartError{Path: spec.Path, Reason: reason(spec.Path, err), Err: cause(err)}
	if script, ok := errors.AsType[*StartError](scriptError(spec.Path, spec.Path)); ok && (errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOEXEC)) {
		e = script
	}
	if spec.Dir != "" {
		if info, statErr := os.Stat(spec.Dir); statErr != nil {
			e.Reason, e.Err = "no such working directory", statErr
		} else if !info.IsDir() {
			e.Reason = "no such working directory"
		}
	}
	switch {
	case errors.Is(err, ErrUnsupported):
		e.Reason = "cannot switch user on this platform"
	case spec.User != nil && errors.Is(err, syscall.EPERM): // execve(2) fails with EACCES instead
		e.Reason = cannotSwitch
	}
	return e
}

// setExit publishes how the child ended. Calls after the first do nothing.
func (c *Child) setExit(exit Exit) {
	c.endOnce.Do(func() {
		c.exit = exit
		c.exitedAt = time.Now()
		close(c.exited)
		if c.terminal != nil {
			closeTerminal(c.terminal.tty)
		}
		c.stdout.leaderExited()
		c.stderr.leaderExited()
	})
}

// reap waits for the leader and publishes its status.
func (c *Child) reap() {
	state, _ := c.process.Wait()
	c.setExit(exitOf(state))
	if c.session.ended() {
		c.Stop()
	} else { // the reader of the output calls Stop, but a slow client may delay it
		time.AfterFunc(maxAfterExit, c.Stop)
	}
}

// Pid returns the process ID of the child, which is also the ID of its process
// session.
func (c *Child) Pid() int { return c.process.Pid }

// Stdin returns the writing end of the child's standard input, a syscall.Conn. Stop
// closes it if the caller has not; it may be closed more than once. With FullTerminal,
// closing it hangs up: the child gets SIGHUP, and unread output is lost. (To end the
// input only, write the byte 4, ^D.) After the child has exited, closing it loses
// nothing.
func (c *Child) Stdin() io.WriteCloser { return c.stdin }

// Stdout returns the child's standard output. The caller must read it to io.EOF.
func (c *Child) Stdout() *Output { return c.stdout }

// Stderr returns the child's standard error. The caller must read it to io.EOF. With
// FullTerminal it is empty: all output is in Stdout.
func (c *Child) Stderr() *Output { return c.stderr }

// Exited returns a channel that is closed once the child itself has exited, or Stop
// has given up on it. Other processes of its session may still run.
func (c *Child) Exited() <-chan struct{} { return c.exited }

// Exit waits until Exited is closed and returns the fields of Exit.
func (c *Child) Exit() (code int, signal string) {
	<-c.exited
	return c.exit.Code, c.exit.Signal
}

// hasExited reports whether the child has exited.
func (c *Child) hasExited() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}
