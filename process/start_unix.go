//go:build unix && !linux

package process

import "os"

// startThreads does nothing: Go's runtime creates threads as needed.
func startThreads() {}

// starter starts children. Only Linux has a parent-death signal, for which the thread matters.
type starter struct{}

func takeStarter() *starter { return nil }

func (*starter) release() {}

func (*starter) startProcess(path string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	return os.StartProcess(path, argv, attr)
}

// setParentDeathSignal does nothing.
func setParentDeathSignal(*os.ProcAttr) {}
