package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// checkPackages checks the .deb and the .rpm in dir by the tools of their distributions.
func checkPackages(t *testing.T, dir string) {
	t.Helper()
	if !slices.Contains(packagedTargets, hostTarget()) {
		return
	}
	base := filepath.Join(dir, "wspipe-"+testVersion+"-linux-"+runtime.GOARCH)
	t.Run("deb", func(t *testing.T) {
		needs(t, "lintian", "dpkg")
		output(t, "lintian", "--allow-root", "--fail-on=error", base+".deb")
		checkDeb(t, base+".deb")
	})
	t.Run("rpm", func(t *testing.T) {
		needs(t, "rpm")
		output(t, "rpm", "--checksig", "--nosignature", base+".rpm")
		if got := output(t, "rpm", "-qp", "--queryformat=%{NAME} %{VERSION} %{LICENSE} %{BUILDHOST} [%{CONFLICTS} ]", base+".rpm"); got != "wspipe 9.8.7~test MIT localhost websocketd " {
			t.Errorf("%q", got)
		}
		for _, file := range []string{"/usr/bin/wspipe", "/usr/bin/websocketd", "/usr/share/man/man1/wspipe.1.gz", "/usr/share/doc/wspipe/copyright", "/usr/lib/systemd/system/wspipe.service"} {
			if !strings.Contains(output(t, "rpm", "-qpl", base+".rpm"), file+"\n") {
				t.Errorf("no %s", file)
			}
		}
	})
}

// checkDeb installs a .deb in an empty root directory, runs the program and purges it.
func checkDeb(t *testing.T, path string) {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"updates", "info"} {
		if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	dpkg := func(args ...string) {
		t.Helper()
		output(t, "dpkg", append([]string{"--root=" + root, "--force-not-root", "--force-bad-path", "--log=" + filepath.Join(root, "log")}, args...)...)
	}
	dpkg("--install", path)
	if got := output(t, filepath.Join(root, "usr/bin/websocketd"), "--version"); !strings.HasPrefix(got, "websocketd (wspipe) "+testVersion+" ") {
		t.Errorf("version %q", got)
	}
	unit, err := os.ReadFile(filepath.Join(root, "usr/lib/systemd/system/wspipe.service"))
	if err != nil || !strings.Contains(string(unit), "\nExecStart=/usr/bin/wspipe ") {
		t.Errorf("%v: %s", err, unit)
	}
	if _, err := os.Stat(filepath.Join(root, "etc/systemd")); err == nil {
		t.Error("a unit is enabled")
	}
	dpkg("--purge", "wspipe")
	filepath.WalkDir(filepath.Join(root, "usr"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("%s is left", path)
		}
		return nil
	})
}

// needs skips the test if a tool is missing, or fails it in CI; .ci/deps installs the tools.
func needs(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			lack(t, "%v: run make deps", err)
		}
	}
}

// lack skips the test, which needs something that is not there. With CI=true it fails instead.
func lack(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf("SKIPPED: "+format, args...)
}

// output returns the output of a command, which must succeed.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
	return string(out)
}
