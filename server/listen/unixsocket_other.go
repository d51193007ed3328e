//go:build !unix

package listen

import (
	"io/fs"
	"syscall"
)

// errRefused is what a socket says whose server is gone: WSAECONNREFUSED.
const errRefused = syscall.Errno(10061)

// setMode does nothing: the directory says who may use a socket in it.
func setMode(uintptr, fs.FileMode) {}

func lockDir(string) (unlock func()) { return func() {} }
