//go:build !linux

package process

import "os"

// isRegistered reports whether the system may execute a text file that does not begin
// with #!. It may on Windows, where the file name decides.
func isRegistered(path, head string) bool { return os.PathSeparator == '\\' }
