//go:build !linux

package process

import "os"

// whenEnded calls f, which waits by itself.
func whenEnded(_ *os.Process, f func()) { go f() }

// watch is one file that is waited for.
type watch struct{}

// whenReadable calls f in a goroutine of its own, which waits by itself.
func whenReadable(_ uintptr, f func()) *watch {
	go f()
	return &watch{}
}

func (*watch) now() {}
