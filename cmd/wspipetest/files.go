package wspipetest

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// WriteFile writes a file. One that begins with #! is executable.
func WriteFile(t testing.TB, path, content string) {
	t.Helper()
	mode := os.FileMode(0o644)
	if strings.HasPrefix(content, "#!") {
		mode = 0o755
	}
	WriteMode(t, path, content, mode)
}

// WriteMode writes a file with a mode.
//
// A child that is forked meanwhile would hold it open for writing until its own exec, and
// executing the file would fail (ETXTBSY). So nothing is forked meanwhile.
func WriteMode(t testing.TB, path, content string, mode os.FileMode) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

// Tree creates files in a new directory, by name and content, as WriteFile does. Content that
// begins with "-> " is a link.
func Tree(t testing.TB, files map[string]string) (dir string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if to, ok := strings.CutPrefix(content, "-> "); !ok {
			WriteFile(t, path, content)
		} else if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
