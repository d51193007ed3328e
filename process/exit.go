package process

import (
	"os"
	"strings"
	"syscall"
)

// Exit is how a child ended.
type Exit struct {
	// Code is the exit status, or 128+n if signal n killed the child, as in a shell.
	Code int
	// Signal is the name of that signal without SIG, such as TERM, or its number if it
	// has no name. It is empty if no signal killed the child.
	Signal string
}

// unknownExit is the Code of a child whose status is unknown.
const unknownExit = 255

// exitOf converts the result of wait(2). A nil state means that waiting failed.
func exitOf(state *os.ProcessState) Exit {
	if state == nil {
		return Exit{Code: unknownExit}
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return Exit{Code: 128 + int(ws.Signal()), Signal: signalName(ws.Signal())}
	}
	return Exit{Code: state.ExitCode()}
}

func shortSignal(name string) string { return strings.TrimPrefix(name, "SIG") }
