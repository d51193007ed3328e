//go:build !linux && !windows

package process

// isRegistered reports whether the system may execute a text file that does not begin
// with #!.
func isRegistered(path, head string) bool { return false }
