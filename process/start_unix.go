//go:build unix && !linux

package process

import "os"

// startThreads does nothing: Go's runtime creates threads as needed.
func startThreads() {}

// runOnStarter calls f: only Linux has a parent-death signal.
func runOnStarter(f func()) { f() }

// setParentDeathSignal does nothing.
func setParentDeathSignal(*os.ProcAttr) {}
