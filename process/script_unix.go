//go:build unix

package process

import "syscall"

const (
	runsScripts   = true // whose interpreter follows #!
	badFormat     = syscall.ENOEXEC
	noInterpreter = "not an executable for this machine, nor a script that begins with #!"
)

// InterpretsArguments returns false: programs get their arguments unchanged.
func InterpretsArguments(path string) bool { return false }
