package process

import (
	"os"
	"strings"
	"syscall"
)

// Exit is how a child ended.
type Exit struct {
	// Code is the exit status, or 128+n for signal number n, as a shell shows it.
	Code int
	// Signal is the signal's name without SIG, such as TERM, or the number of one
	// that has no name. Empty if the child exited.
	Signal string
}

// unknownExit is the Code of a child that we could not wait for.
const unknownExit = 255

// exitOf reads what wait(2) told. A nil state means that waiting failed.
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
