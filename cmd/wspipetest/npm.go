package wspipetest

import (
	"os/exec"
	"testing"
)

// NPMInstall installs packages of the npm registry below dir.
func NPMInstall(t testing.TB, dir string, packages ...string) {
	t.Helper()
	npm := exec.Command(Need(t, "npm"), append([]string{"install", "--no-audit", "--no-fund", "--loglevel=error"}, packages...)...)
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("npm: %v\n%s", err, out)
	}
}
