//go:build !linux

package process

import "os"

// onExit calls f in a new goroutine at once; f waits for the exit.
func onExit(_ *os.Process, f func()) { go f() }

// watch waits for one file.
type watch struct{}

// onReadable calls f in a new goroutine at once; f waits for the file.
func onReadable(_ uintptr, f func()) *watch {
	go f()
	return &watch{}
}

func (*watch) fire() {}
