//go:build unix && !linux

package process

import "os"

// onStarter runs f here: only Linux has a parent-death signal.
func onStarter(f func()) { f() }

func dieWithUs(*os.ProcAttr) {}
