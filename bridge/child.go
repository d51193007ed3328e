package bridge

import "io"

// Child is what a Bridge requires of a running child.
type Child interface {
	// Pid is the process ID, for the log.
	Pid() int
	// Stdin returns the child's input. If it is a syscall.Conn, what the kernel
	// accepts at once is written without a goroutine. The Bridge closes it.
	Stdin() io.WriteCloser
	// Stdout and Stderr end when everything that the child wrote has been read.
	Stdout() io.Reader
	Stderr() io.Reader
	// Signal sends the signal with this name, without SIG, such as INT.
	Signal(name string) error
	// Resize sets the size of its terminal, if it has one.
	Resize(size WindowSize) error
	// Exit waits for the child's end. It returns the exit status, or 128+n and the
	// name of signal n.
	Exit() (code int, signal string)
	// Stop stops the child and its process session and returns once they have ended.
	// It does not close Stdin.
	Stop()
}

// WindowSize is the size of a terminal, in characters.
type WindowSize struct{ Rows, Cols uint16 }
