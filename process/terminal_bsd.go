//go:build unix && !linux && !darwin

package process

import "golang.org/x/sys/unix"

const (
	getTermios = unix.TIOCGETA
	setTermios = unix.TIOCSETA
	utf8Input  = 0 // not all of these systems have it
)
