//go:build unix && !linux

package process

import "os"

// startThreads has nothing to do: Go's runtime creates threads as it needs them.
func startThreads() {}

// runOnStarter runs f here: only Linux has a parent-death signal.
func runOnStarter(f func()) { f() }

func setParentDeathSignal(*os.ProcAttr) {}
