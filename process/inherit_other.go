//go:build unix && !linux

package process

import (
	"os"
	"os/signal"
	"syscall"
)

func closeOnExecFrom(uint) error { return ErrUnsupported }

// ignoredSignals returns the signals that we ignore, as far as os/signal knows.
func ignoredSignals() (ignored []os.Signal) {
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(sig) {
			ignored = append(ignored, sig)
		}
	}
	return ignored
}
