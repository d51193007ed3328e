package process

import (
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

const (
	runsScripts   = false
	badFormat     = windows.ERROR_BAD_EXE_FORMAT
	noInterpreter = "neither an executable for this machine nor a .bat or .cmd file"
)

// isRegistered reports whether the system runs the text file at path.
func isRegistered(path, head string) bool { return InterpretsArguments(path) }

// InterpretsArguments reports whether the program at path is a batch file. cmd.exe runs it,
// and interprets its arguments as parts of a command line.
func InterpretsArguments(path string) bool {
	extension := strings.ToLower(filepath.Ext(path))
	return extension == ".bat" || extension == ".cmd"
}
