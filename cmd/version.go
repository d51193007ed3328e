package cmd

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is the version of a release build, set by the linker:
// -ldflags '-X wspipe/cmd.release=1.2.3'.
var release string

// version returns the version of this build, which contains no spaces.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// versionLine returns the output of --version for a program called name.
func versionLine(name string) string {
	if name != "wspipe" {
		name += " (wspipe)"
	}
	return fmt.Sprintf("%s %s (%s %s-%s) --", name, version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
