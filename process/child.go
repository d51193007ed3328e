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

// Child is a running program, the leader of its own process session. Start makes
// one. Its files are ours alone: nothing reads or writes them but the caller. Stop
// must be called, however the child ends.
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
	stopped  atomic.Bool // Stop has come to its end

	endOnce  sync.Once
	exited   chan struct{}
	exit     Exit      // set before exited is closed
	exitedAt time.Time // set before exited is closed
}

// Start starts the program of spec with a pipe for each of stdin, stdout and
// stderr, or a terminal where spec asks for one. The error is a *StartError.
func Start(spec Spec) (*Child, error) {
	Prepare()
	log := spec.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Child{grace: spec.Grace, onSessionEnd: spec.OnSessionEnd, log: log, exited: make(chan struct{})}
	var err error
	runOnStarter(func() { err = c.launch(spec) })
	if err != nil {
		return nil, err
	}
	onExit(c.process, c.reap) // Stop sees to it that the child ends
	return c, nil
}

// launch opens the child's files and starts it. It runs on a starter's thread:
// however many children start, few threads wait for the kernel.
func (c *Child) launch(spec Spec) error {
	ends, err := c.openFiles(spec)
	if err != nil {
		return openError(spec, err)
	}
	err = c.start(spec, ends)
	if err != nil || c.terminal == nil { // ended closes the terminal's
		closeAll(ends)
	}
	if err != nil {
		c.stdin.Close()
		closeAll([]*os.File{c.stdout.file, c.stderr.file})
		return startError(spec, err)
	}
	return nil
}

// openFiles sets our ends of the child's three files and returns the child's.
func (c *Child) openFiles(spec Spec) (ends []*os.File, err error) {
	if spec.Terminal == FullTerminal {
		return c.openControlling(spec)
	}
	var ours [3]*os.File
	for i := range ours {
		open := pipe
		if i == 1 && spec.Terminal == StdoutTerminal {
			open = func(bool) (ours, childs *os.File, err error) { return openTerminal(spec) }
		}
		our, child, err := open(i == 0)
		if err != nil {
			closeAll(ends)
			closeAll(ours[:i])
			return nil, err
		}
		ours[i], ends = our, append(ends, child)
		if spec.User != nil {
			// To open it as /dev/stdin, say. Without CAP_CHOWN the child can use it all the same.
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

// start forks and executes.
func (c *Child) start(spec Spec, ends []*os.File) (err error) {
	if spec.User != nil && !canSwitchUser {
		return ErrUnsupported
	}
	attr := &os.ProcAttr{Dir: spec.Dir, Env: append([]string{}, spec.Env...), Files: ends}
	argv := append([]string{spec.Path}, spec.Args...)
	if c.process, err = startSession(spec, argv, attr); err != nil {
		return err
	}
	c.session, err = newProcessSession(c.process, c.terminal)
	if err != nil {
		c.process.Kill()
		c.process.Wait()
	}
	return err
}

// openError tells why the child has not got its files.
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

// startError tells why the child, which had its files, has not been started.
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
	case spec.User != nil && errors.Is(err, syscall.EPERM): // a program that may not be run fails with EACCES
		e.Reason = cannotSwitch
	}
	return e
}

// setExit tells everybody how the child has ended. Only the first call counts.
func (c *Child) setExit(how Exit) {
	c.endOnce.Do(func() {
		c.exit = how
		c.exitedAt = time.Now()
		close(c.exited)
		if c.terminal != nil {
			closeTerminal(c.terminal.tty)
		}
		c.stdout.leaderExited()
		c.stderr.leaderExited()
	})
}

// reap takes the leader's status and waits for it if need be.
func (c *Child) reap() {
	state, _ := c.process.Wait()
	c.setExit(exitOf(state))
	if c.session.ended() {
		c.Stop()
	} else { // whoever reads the output calls Stop, but a slow client may hold it up
		time.AfterFunc(maxAfterExit, c.Stop)
	}
}

// Pid is the process ID of the child, and the ID of its process session.
func (c *Child) Pid() int { return c.process.Pid }

// Stdin is the writing end of the child's standard input, a syscall.Conn. Stop
// closes it at the latest; closing it again does no harm. With FullTerminal,
// closing it hangs up: the child gets SIGHUP, and output that has not been read
// is lost. (The key for the end of input is the byte 4, ^D.) Once the child has
// ended, closing it loses nothing.
func (c *Child) Stdin() io.WriteCloser { return c.stdin }

// Stdout is the child's standard output. It must be read to its end.
func (c *Child) Stdout() io.Reader { return c.stdout }

// Stderr is the child's standard error. It must be read to its end. With
// FullTerminal there is nothing in it: all output is in Stdout.
func (c *Child) Stderr() io.Reader { return c.stderr }

// Exited is closed once the child itself has ended, or Stop has given it up.
// Others of its process session may still run.
func (c *Child) Exited() <-chan struct{} { return c.exited }

// Exit waits for the child's end and tells how it came.
func (c *Child) Exit() (code int, signal string) {
	<-c.exited
	return c.exit.Code, c.exit.Signal
}
