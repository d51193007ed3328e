//go:build !linux

package process

import "os"

// pipe opens a pipe and returns our end, the writing one if input is true, and the
// child's.
func pipe(input bool) (ourEnd, childEnd *os.File, err error) {
	r, w, err := os.Pipe()
	if input {
		return w, r, err
	}
	return r, w, err
}
