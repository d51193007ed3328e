// Package process starts, stops and waits for child processes. A child has three pipes or
// a terminal, and leads a process session. The package knows nothing of WebSocket or HTTP.
package process

import (
	"errors"
	"log/slog"
	"time"
)

// ErrUnsupported reports that this platform lacks the requested feature.
var ErrUnsupported = errors.New("not supported on this platform")

// WaitForever is the Spec.Grace with which Stop sends no signals and waits until the
// child ends by itself.
const WaitForever time.Duration = -1

// Spec specifies a child to start and how to stop it. Only Path is required.
type Spec struct {
	// Path is the program's file, as Resolve returns it. It is not looked up in PATH.
	Path string
	// Args are the arguments after the program's name.
	Args []string
	// Env is the whole environment, as NAME=VALUE. Nil means an empty environment.
	Env []string
	// Dir is the working directory. Empty means ours.
	Dir string
	// User is the identity that the child runs as. Nil means ours.
	User *User
	// Terminal specifies which of the child's files are a terminal. Zero means none.
	Terminal Terminal
	// Size is the initial size of the terminal. Zero means 80 columns and 24 rows with
	// FullTerminal, and 32767 columns with StdoutTerminal, so that no program truncates
	// its lines.
	Size WindowSize
	// Grace is added to each wait of the stop sequence. WaitForever means that Stop
	// sends no signals.
	Grace time.Duration
	// OnSessionEnd is called once, when no process of the session is left, or when one
	// has outlived SIGKILL. It must not block. It may be nil.
	OnSessionEnd func()
	// Log receives errors that no caller can handle, such as a process session that
	// outlives SIGKILL. Nil discards them.
	Log *slog.Logger
}

// User is the identity of a child on Unix. LookupUser returns one.
type User struct {
	UID, GID uint32
	Groups   []uint32 // supplementary groups
}
