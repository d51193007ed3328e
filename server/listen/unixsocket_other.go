//go:build !unix

package listen

import (
	"io/fs"
	"syscall"
)

// errRefused is the error of connecting to a socket whose server has ended, WSAECONNREFUSED.
const errRefused = syscall.Errno(10061)

// setMode does nothing: the permissions of the directory apply.
func setMode(uintptr, fs.FileMode) {}

// lockDir does nothing.
func lockDir(string) (unlock func()) { return func() {} }
