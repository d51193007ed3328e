//go:build !linux

package process

import "os"

// onExit calls f, which waits by itself.
func onExit(_ *os.Process, f func()) { go f() }

// watch is one file that is waited for.
type watch struct{}

// onReadable calls f in a goroutine of its own, which waits by itself.
func onReadable(_ uintptr, f func()) *watch {
	go f()
	return &watch{}
}

func (*watch) fire() {}
