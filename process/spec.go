// Package process runs one child: how it is started, its pipes or its terminal,
// its process session, how it is stopped, and how it ended. It knows nothing of
// WebSocket or HTTP.
package process

import (
	"errors"
	"log/slog"
	"time"
)

// ErrUnsupported reports that this platform lacks what was asked for.
var ErrUnsupported = errors.New("not supported on this platform")

// WaitForever as Spec.Grace makes Stop close stdin and send no signal at all.
const WaitForever time.Duration = -1

// Spec says what to start, as whom, and how patiently to stop it.
type Spec struct {
	// Path is the program's file, as Resolve returns it. It is not looked up again.
	Path string
	// Args are the arguments after the program's name.
	Args []string
	// Env is the whole environment, NAME=VALUE. Empty means an empty environment.
	Env []string
	// Dir is the working directory. Empty means ours.
	Dir string
	// User is whom the child runs as. Nil means ourselves.
	User *User
	// Terminal says which of the child's files are a terminal.
	Terminal Terminal
	// Size is the terminal's at first. Zero means 24 rows of 80 columns with
	// FullTerminal, and so wide with StdoutTerminal that no program truncates its
	// lines.
	Size WindowSize
	// Grace is added to each wait of the stop ladder. Zero adds nothing;
	// WaitForever sends no signal.
	Grace time.Duration
	// OnSessionEnd is called once, when no process of the session is left, or when one
	// outlives SIGKILL. It must not block.
	OnSessionEnd func()
	// Log gets what no caller can act on, such as a session that outlives
	// SIGKILL. Nil discards it.
	Log *slog.Logger
}

// User is an identity for Spec.User. LookupUser makes one.
type User struct {
	UID, GID uint32
	Groups   []uint32 // supplementary groups
}
