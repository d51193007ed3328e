package bridge

import "io"

// Child is what a Bridge needs of a running program.
type Child interface {
	// Pid names the child in the log.
	Pid() int
	// Stdin takes the child's input. If it is a syscall.Conn, bytes that the
	// kernel takes at once need no goroutine.
	Stdin() io.WriteCloser
	// Stdout and Stderr end when all that the child wrote has been read.
	Stdout() io.Reader
	Stderr() io.Reader
	// Signal sends it the signal of that name, such as INT.
	Signal(name string) error
	// Resize sets the size of its terminal, if it has one.
	Resize(size WindowSize) error
	// Exit waits for the child's end: its status, or 128+n and the name of
	// signal n.
	Exit() (code int, signal string)
	// Stop ends the child and its process session and returns when they are gone.
	// The Bridge closes Stdin by itself.
	Stop()
}

// WindowSize is the size of a terminal, in characters.
type WindowSize struct{ Rows, Cols uint16 }
