//go:build !linux

package process

import "os"

// pipe opens a pipe of which we have one end, the writing one for input.
func pipe(input bool) (ours, childs *os.File, err error) {
	r, w, err := os.Pipe()
	if input {
		return w, r, err
	}
	return r, w, err
}
